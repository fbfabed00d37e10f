/** Why a stream under rules of server names is refused, by number: indices of TLS_ERROR_KINDS (policy-maps/counters.ts). */
export const TLS_NOT_TLS = 1;
export const TLS_SSL2 = 2;
export const TLS_BAD_RECORD = 3;
export const TLS_TOO_LARGE = 4;
export const TLS_BAD_HELLO = 5;
export const TLS_DUPLICATE_EXTENSION = 6;
export const TLS_BAD_NAME = 7;
export const TLS_SEVERAL_NAMES = 8;
export const TLS_SERVER_FIRST = 9;
export const TLS_TRUNCATED = 10;
export const TLS_BAD_ANSWER = 11;
