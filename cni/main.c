/*
 * sluice-cni: the CNI plugin of Sluice, started by a container runtime for each call.
 *
 *     environment, standard input --> agent --> 200: print it, exit 0
 *                                         |---> 202: run what it names, ask again with what that said
 *                                         +---> 422: print the error, exit 1
 *
 *   ADD     An address of a delegated IPAM plugin is given back when the ADD fails after all.
 *   DEL     While the agent is down the request is kept for it, and the call succeeds.
 *   others  Fail while the agent is down, as the specification has it.
 *
 * A delegated IPAM plugin gets the same call after the agent has had it, but for ADD, where the agent says when.
 *
 * With an argument it is a plugin of netavark, podman's own way to make networks: `create`, `setup NETNS`, `teardown NETNS`, `info`. The agent
 * takes setup for ADD and teardown for DEL, and answers in netavark's words.
 */
#include "sluice-cni.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECT_ADD_MS 5000 /* an agent that starts again is there by then */
#define CONNECT_AGAIN_MS 30000 /* one that ended in the middle of an ADD is known to be wanted */
#define CONNECT_MS 200
#define ANSWER_ADD_MS 100000 /* runtimes give up after two minutes and more */
#define ANSWER_MS 30000
#define ROUNDS 5 /* programs that the agent may ask for */

extern char **environ;

/* Of a call by netavark: its arguments; NULL for CNI. */
static const char *netavark_command;
static const char *netavark_netns = "";

static struct text input;
static const char *command;
static char run_dir[200] = "/run/sluice";
static char ipam[128];
/* What programs said, as members of a JSON array. */
static struct text outcomes;

static void add_version(struct text *text) {
  const char *start = "1.0.0";
  size_t length = 5;
  const char *given;
  size_t given_length;
  if (input.length && find_string(&input, (const char *const[]){"cniVersion", NULL}, &given, &given_length)) {
    start = given;
    length = given_length;
  }
  /* As it was written: with its escapes it is JSON still. */
  add_string(text, "{\"cniVersion\":\"");
  add_bytes(text, start, length);
  add_string(text, "\"");
}

static int fail_netavark(const char *message, const char *details) {
  struct text sentence = {0}, text = {0};
  add_string(&sentence, message);
  if (*details) add_string(&sentence, ": ");
  add_string(&sentence, details);
  add_string(&text, "{\"error\":");
  add_json(&text, sentence.bytes, sentence.length);
  add_string(&text, "}\n");
  write_all(STDOUT_FILENO, text.bytes, text.length);
  return 1;
}

/* Prints an error and answers the exit code. */
static int fail_with(enum cni_code code, const char *message, const char *details) {
  if (netavark_command) return fail_netavark(message, details);
  struct text text = {0};
  add_version(&text);
  add_string(&text, ",\"code\":");
  add_number(&text, code);
  add_string(&text, ",\"msg\":");
  add_json(&text, message, strlen(message));
  if (*details) {
    add_string(&text, ",\"details\":");
    add_json(&text, details, strlen(details));
  }
  add_string(&text, "}\n");
  write_all(STDOUT_FILENO, text.bytes, text.length);
  return 1;
}

static int tell_versions(void) {
  struct text text = {0};
  add_version(&text);
  add_string(&text, ",\"supportedVersions\":[\"0.3.0\",\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]}\n");
  return write_all(STDOUT_FILENO, text.bytes, text.length) ? 0 : 1;
}

/* A string of the configuration into a buffer; false when it does not fit, or is written with escapes. */
static bool read_setting(const char *const *path, char *into, size_t capacity) {
  const char *start;
  size_t length;
  if (!find_string(&input, path, &start, &length) || length == 0) return true;
  if (length >= capacity || memchr(start, '\\', length) || memchr(start, '\0', length)) return false;
  memcpy(into, start, length);
  into[length] = '\0';
  return true;
}

static struct text request(void) {
  struct text text = {0};
  const char *separator = "";
  add_string(&text, "{\"environment\":{");
  for (char **one = environ; *one; one++) {
    const char *equals = strchr(*one, '=');
    if (strncmp(*one, "CNI_", 4) != 0 || !equals) continue;
    add_string(&text, separator);
    add_json(&text, *one, (size_t)(equals - *one));
    add_string(&text, ":");
    add_json(&text, equals + 1, strlen(equals + 1));
    separator = ",";
  }
  add_string(&text, "},");
  if (netavark_command) {
    add_string(&text, "\"netavark\":[");
    add_json(&text, netavark_command, strlen(netavark_command));
    add_string(&text, ",");
    add_json(&text, netavark_netns, strlen(netavark_netns));
    add_string(&text, "],");
  }
  add_string(&text, "\"config\":");
  add_json(&text, input.bytes ? input.bytes : "", input.length);
  add_string(&text, ",\"outcomes\":[");
  add_bytes(&text, outcomes.bytes, outcomes.length);
  add_string(&text, "]}");
  return text;
}

static struct answer ask(void) {
  char path[256];
  struct answer answer;
  bool is_add = strcmp(command, "ADD") == 0;
  int64_t now = now_ms();
  int64_t answer_by = now + (is_add ? ANSWER_ADD_MS : ANSWER_MS);
  struct text body = request();
  snprintf(path, sizeof path, "%s/sluice.sock", run_dir);
  ask_agent(path, &body, now + (is_add ? CONNECT_ADD_MS : CONNECT_MS), answer_by, &answer);
  /* An agent that ended in the middle of it may be there again: a call that is repeated does no harm. */
  if (answer.status == 0 && answer.was_there && is_add && now_ms() < answer_by)
    ask_agent(path, &body, now_ms() + CONNECT_AGAIN_MS, answer_by, &answer);
  free(body.bytes);
  return answer;
}

static void call_ipam(const char *what, struct ending *ending) {
  char path[512];
  if (find_plugin(ipam, path, sizeof path)) {
    run_program(path, (char *const[]){path, NULL}, what, &input, ending);
    return;
  }
  *ending = (struct ending){.exit = -1};
  snprintf(ending->problem, sizeof ending->problem, "find the IPAM plugin %.60s: it is in no folder of CNI_PATH", ipam);
}

/* Prints what a plugin said of its failure. */
static int pass_failure(const struct ending *ending) {
  /* Of one that was ended there is half a word at most. */
  if (ending->output.length == 0 || *ending->problem) {
    bool is_absent = ending->exit == -1 && strncmp(ending->problem, "find", 4) == 0;
    return fail_with(is_absent ? CODE_ENVIRONMENT : CODE_OWN, *ending->problem ? ending->problem : "the IPAM plugin failed without a word", "");
  }
  write_all(STDOUT_FILENO, ending->output.bytes, ending->output.length);
  return 1;
}

static void note_outcome(const char *kind, const struct ending *ending) {
  if (outcomes.length) add_string(&outcomes, ",");
  add_string(&outcomes, "{\"kind\":");
  add_json(&outcomes, kind, strlen(kind));
  add_string(&outcomes, ",\"exit\":");
  add_number(&outcomes, ending->exit);
  add_string(&outcomes, ",\"output\":");
  add_json(&outcomes, ending->output.bytes ? ending->output.bytes : "", ending->output.length);
  add_string(&outcomes, ",\"problem\":");
  add_json(&outcomes, ending->problem, strlen(ending->problem));
  add_string(&outcomes, "}");
}

/* Runs the program that the lines of an answer name: `program`, then its arguments. */
static void run_named(char *lines, struct ending *ending) {
  char *argv[16];
  size_t count = 0;
  strtok(lines, "\n");
  for (char *line; count < 15 && (line = strtok(NULL, "\n"));) argv[count++] = line;
  argv[count] = NULL;
  struct text nothing = {0};
  if (count > 0) run_program(argv[0], argv, command, &nothing, ending);
}

static int print_answer(const struct answer *answer) {
  if (answer->status == 200 || answer->status == 422) {
    bool is_written = write_all(STDOUT_FILENO, answer->body.bytes, answer->body.length);
    return answer->status == 200 && is_written ? 0 : 1;
  }
  char message[80];
  snprintf(message, sizeof message, "the agent answered %d: is it of another version?", answer->status);
  return fail_with(CODE_OWN, message, answer->body.bytes ? answer->body.bytes : "");
}

static int add(void) {
  bool has_address = false;
  struct answer answer = ask();
  for (int round = 0; answer.status == 202 && round < ROUNDS; round++) {
    struct ending ending = {.exit = -1};
    bool is_ipam = strncmp(answer.body.bytes, "ipam\n", 5) == 0;
    if (is_ipam) {
      call_ipam("ADD", &ending);
      has_address = true;
    } else run_named(answer.body.bytes, &ending);
    if (is_ipam && ending.exit != 0) {
      struct ending undone;
      call_ipam("DEL", &undone);
      return pass_failure(&ending);
    }
    note_outcome(is_ipam ? "ipam" : "program", &ending);
    answer = ask();
  }
  if (answer.status != 200 && has_address) {
    struct ending undone;
    call_ipam("DEL", &undone);
  }
  if (answer.status == 0) return fail_with(CODE_AGAIN, "try again later: Sluice's agent cannot be asked", answer.problem);
  return print_answer(&answer);
}

/* All but ADD: the agent, then the IPAM plugin. */
static int call(void) {
  struct answer answer = ask();
  char problem[200] = "";
  int code = 0;
  if (answer.status != 0) code = print_answer(&answer);
  else if (strcmp(command, "DEL") == 0) {
    struct text body = request();
    if (!keep_request(run_dir, &body, problem, sizeof problem))
      return fail_with(CODE_AGAIN, "try again later: Sluice's agent cannot be asked, and the request cannot be kept for it", problem);
  } else if (strcmp(command, "STATUS") == 0)
    return fail_with(CODE_UNAVAILABLE, "Sluice's agent cannot be asked", answer.problem);
  else return fail_with(CODE_AGAIN, "try again later: Sluice's agent cannot be asked", answer.problem);
  bool goes_on = code == 0 || strcmp(command, "GC") == 0;
  if (!*ipam || !goes_on) return code;
  struct ending ending;
  call_ipam(command, &ending);
  return ending.exit == 0 || code != 0 ? code : pass_failure(&ending);
}

static int netavark(int count, char **arguments) {
  netavark_command = arguments[1];
  if (count > 2) netavark_netns = arguments[2];
  bool is_create = strcmp(netavark_command, "create") == 0;
  bool is_teardown = strcmp(netavark_command, "teardown") == 0;
  if (strcmp(netavark_command, "info") == 0) {
    static const char told[] = "{\"version\":\"" SLUICE_VERSION "\",\"api_version\":\"1.0.0\"}\n";
    return write_all(STDOUT_FILENO, told, sizeof told - 1) ? 0 : 1;
  }
  if (!is_create && !is_teardown && strcmp(netavark_command, "setup") != 0)
    return fail_with(CODE_ENVIRONMENT, "wanted create, setup, teardown or info", netavark_command);
  const char *const of_network[] = {"options", "run-dir", NULL};
  const char *const of_container[] = {"network", "options", "run-dir", NULL};
  if (!read_setting(is_create ? of_network : of_container, run_dir, sizeof run_dir))
    return fail_with(CODE_CONFIG, "run-dir: wanted a path without escapes, shorter than 200 bytes", "");
  command = is_teardown ? "DEL" : is_create ? "CREATE" : "ADD";
  return strcmp(command, "ADD") == 0 ? add() : call();
}

int main(int count, char **arguments) {
  signal(SIGPIPE, SIG_IGN);
  command = getenv("CNI_COMMAND");
  if (!add_all(&input, STDIN_FILENO, INPUT_LIMIT)) return fail_with(CODE_IO, "read standard input: wanted at most 1 MiB of JSON", "");
  if (count > 1) return netavark(count, arguments);
  if (!command) command = "";
  if (strcmp(command, "VERSION") == 0) return tell_versions();
  static const char *const known[] = {"ADD", "DEL", "CHECK", "STATUS", "GC"};
  bool is_known = false;
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) is_known |= strcmp(command, known[i]) == 0;
  if (!is_known) return fail_with(CODE_ENVIRONMENT, "CNI_COMMAND: wanted ADD, DEL, CHECK, STATUS, GC or VERSION", command);
  if (!read_setting((const char *const[]){"runDir", NULL}, run_dir, sizeof run_dir))
    return fail_with(CODE_CONFIG, "runDir: wanted a path without escapes, shorter than 200 bytes", "");
  if (!read_setting((const char *const[]){"ipam", "type", NULL}, ipam, sizeof ipam))
    return fail_with(CODE_CONFIG, "ipam.type: wanted a name without escapes, shorter than 128 bytes", "");
  return strcmp(command, "ADD") == 0 ? add() : call();
}
