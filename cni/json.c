/*
 * Looks for one string in a JSON text: everything else is only skipped, so values need not be checked. Nesting deeper than DEPTH_LIMIT is
 * taken for no JSON.
 */
#include "sluice-cni.h"

#include <string.h>

#define DEPTH_LIMIT 64

struct cursor {
  const char *at;
  const char *end;
};

static void skip_blank(struct cursor *cursor) {
  while (cursor->at < cursor->end && strchr(" \t\r\n", *cursor->at) && *cursor->at) cursor->at++;
}

static bool take(struct cursor *cursor, char wanted) {
  skip_blank(cursor);
  if (cursor->at >= cursor->end || *cursor->at != wanted) return false;
  cursor->at++;
  return true;
}

static bool take_string(struct cursor *cursor, const char **start, size_t *length) {
  if (!take(cursor, '"')) return false;
  *start = cursor->at;
  for (; cursor->at < cursor->end; cursor->at++) {
    if (*cursor->at == '\\') cursor->at++;
    else if (*cursor->at == '"') {
      *length = (size_t)(cursor->at++ - *start);
      return true;
    }
  }
  return false;
}

static bool skip_value(struct cursor *cursor, int depth);

/* The members of an object or the items of an array, the opening bracket having been taken. */
static bool skip_inside(struct cursor *cursor, char closing, int depth) {
  if (take(cursor, closing)) return true;
  do {
    const char *start;
    size_t length;
    if (closing == '}' && !(take_string(cursor, &start, &length) && take(cursor, ':'))) return false;
    if (!skip_value(cursor, depth + 1)) return false;
  } while (take(cursor, ','));
  return take(cursor, closing);
}

static bool skip_value(struct cursor *cursor, int depth) {
  const char *start;
  size_t length;
  if (depth > DEPTH_LIMIT) return false;
  if (take(cursor, '{')) return skip_inside(cursor, '}', depth);
  if (take(cursor, '[')) return skip_inside(cursor, ']', depth);
  if (cursor->at < cursor->end && *cursor->at == '"') return take_string(cursor, &start, &length);
  start = cursor->at;
  while (cursor->at < cursor->end && !strchr(",]} \t\r\n", *cursor->at)) cursor->at++;
  return cursor->at > start;
}

bool find_string(const struct text *json, const char *const *path, const char **start, size_t *length) {
  struct cursor cursor = {json->bytes, json->bytes + json->length};
  struct cursor inside = cursor;
  for (; *path; path++) {
    cursor = inside;
    bool is_found = false;
    if (!take(&cursor, '{') || take(&cursor, '}')) return false;
    do {
      const char *key;
      size_t key_length;
      if (!take_string(&cursor, &key, &key_length) || !take(&cursor, ':')) return false;
      skip_blank(&cursor);
      if (key_length == strlen(*path) && memcmp(key, *path, key_length) == 0) {
        inside = cursor;
        is_found = true;
      }
      if (!skip_value(&cursor, 0)) return false;
    } while (take(&cursor, ','));
    if (!is_found || !take(&cursor, '}')) return false;
  }
  return take_string(&inside, start, length);
}
