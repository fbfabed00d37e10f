/*
 * What the C files of the plugin share.
 *
 * The plugin is started by a container runtime for each call, says what it was given to the agent and prints what that answers
 * (docs/decisions/0022-cni.md). It knows no CNI but what it needs where the agent cannot do it: VERSION, calls while the agent is
 * down, and programs that must run as the runtime's child (delegated IPAM, podman).
 */
#ifndef SLUICE_CNI_H
#define SLUICE_CNI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INPUT_LIMIT (1 << 20)  /* bytes of standard input, and of what a program says */
#define ANSWER_LIMIT (4 << 20) /* bytes of an answer of the agent */

/* Error codes of the specification. */
enum cni_code { CODE_ENVIRONMENT = 4, CODE_IO = 5, CODE_DECODE = 6, CODE_CONFIG = 7, CODE_AGAIN = 11, CODE_UNAVAILABLE = 50, CODE_OWN = 100 };

/* text.c: bytes that grow; always one zero byte longer than `length`. Out of memory ends the program. */
struct text {
  char *bytes;
  size_t length;
  size_t capacity;
};
void add_bytes(struct text *text, const void *bytes, size_t length);
void add_string(struct text *text, const char *string);
void add_number(struct text *text, long number);
/* As a JSON string in quotes. */
void add_json(struct text *text, const char *bytes, size_t length);
/* Adds what comes until the end; false when it is more than `limit` bytes or cannot be read. */
bool add_all(struct text *text, int fd, size_t limit);
bool write_all(int fd, const char *bytes, size_t length);
/* Milliseconds of a clock that only goes forward. */
int64_t now_ms(void);

/* json.c: the string at a path of keys in a JSON object, without its quotes and with its escapes as they stand; the last one where keys
 * are repeated, as JSON.parse has it. False when there is none, or the text is no JSON up to there. */
bool find_string(const struct text *json, const char *const *path, const char **start, size_t *length);

/* agent.c: one request of the agent's API. */
struct answer {
  int status; /* of HTTP; 0: nobody answered */
  bool was_there; /* somebody took the connection */
  struct text body;
  char problem[160]; /* why nobody did */
};
/* Tries to connect until `connect_by`, waits for the answer until `answer_by` (both as now_ms). */
void ask_agent(const char *socket_path, const struct text *request, int64_t connect_by, int64_t answer_by, struct answer *answer);

/* program.c */
struct ending {
  int exit; /* -1: it could not be started, or did not end in time */
  struct text output;
  char problem[160];
};
/* Runs a file with `CNI_COMMAND=command`, `input` on its standard input. */
void run_program(const char *file, char *const argv[], const char *command, const struct text *input, struct ending *ending);
/* The file of a plugin along CNI_PATH; false when it is in none of its folders. */
bool find_plugin(const char *name, char *path, size_t capacity);

/* queue.c: keeps a request for an agent that is down; false with the reason when it cannot. */
bool keep_request(const char *run_dir, const struct text *request, char *problem, size_t capacity);

#endif
