// A lookup through musl's resolver, which reads resolv.conf in another way than glibc's: a program of a few lines, built with musl-gcc.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { must } from './command.ts';

const SOURCE = `#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
int main(int count, char **words) {
  struct addrinfo hints, *found;
  char text[64];
  memset(&hints, 0, sizeof hints);
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_family = AF_INET;
  int error = getaddrinfo(words[1], "80", &hints, &found);
  if (error) { puts(gai_strerror(error)); return 1; }
  inet_ntop(AF_INET, &((struct sockaddr_in *)found->ai_addr)->sin_addr, text, sizeof text);
  puts(text);
  return 0;
}
`;

/**
 * Builds the program in a folder.
 * @returns its path; it prints the IPv4 address of its argument, or ends with 1
 */
export async function buildMuslLookup(folder: string): Promise<string> {
  const program = join(folder, 'musl-lookup');
  writeFileSync(`${program}.c`, SOURCE);
  await must(['musl-gcc', '-static', '-o', program, `${program}.c`]);
  return program;
}
