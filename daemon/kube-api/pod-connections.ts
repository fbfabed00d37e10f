/** While nobody runs containers, there is nothing to connect to. */
import type { PodConnections } from '../../apiserver/http/pod-connections.ts';
import { StatusError } from '../../apiserver/storage/status-error.ts';

export const NO_CONNECTIONS: PodConnections = {
  serve: (_request, socket) => {
    socket.end('HTTP/1.1 501 Not Implemented\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
  },
  logs: () => Promise.reject(StatusError.badRequest('containers are not run here')),
};
