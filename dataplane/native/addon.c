/* The addon's export table. NAPI_MODULE_INIT makes it loadable in any number of threads. */
#include "native.h"

NAPI_MODULE_INIT() {
#define DESCRIBE(js_name, c_name) {#js_name, NULL, c_name, NULL, NULL, NULL, napi_enumerable, NULL},
  const napi_property_descriptor functions[] = {EXPORTS(DESCRIBE)};
#undef DESCRIBE
  napi_define_properties(env, exports, sizeof functions / sizeof functions[0], functions);
  return exports;
}
