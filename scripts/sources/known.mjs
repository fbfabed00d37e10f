// To be cleared: findings that stood when their check came. Each is told as known and fails nothing; one that is gone is
// told too, and its line goes. This file goes with the last line. `has` is what the finding's text contains.
export const known = [
  { check: 'constants', has: 'PROTOCOL_BITS = 8' },
  { check: 'constants', has: 'NETNS = "sluice.io/netns"' },
  { check: 'constants', has: 'LINGER_MS = 5000' },
  { check: 'constants', has: 'TIMESTAMP_BYTES = 12' },
  { check: 'constants', has: 'SERVICE_ACCOUNT = "io.cilium.k8s.policy.serviceaccount"' },
  { check: 'constants', has: 'SEMICOLON = 59' },
  { check: 'constants', has: 'SLASH = 47' },
  { check: 'constants', has: 'QUESTION = 63' },
  { check: 'constants', has: 'EVENT_BYTES = 256' },
  { check: 'constants', has: 'READ_ATTEMPTS = 1000' },
  { check: 'size', has: 'cli/program.test.ts' },
  { check: 'size', has: 'dataplane/native/native.test.ts' },
  { check: 'size', has: 'policy-maps/policy-map.test.ts' },
  { check: 'size', has: 'policy-maps/table/tables.test.ts' },
  { check: 'readmes', has: 'dataplane/native/README.md: its title' },
  { check: 'readmes', has: 'dataplane/native/README.md: its sections' },
  { check: 'readmes', has: 'linux/README.md: its title' },
  { check: 'readmes', has: 'api/README.md: its title' },
  { check: 'readmes', has: 'daemon/README.md: its title' },
  { check: 'essays', has: 'wire/README.md: names `setF' },
];
