/** What the name server counts, since its start. */

export class Counters {
  /** Messages that came, over UDP and TCP. */
  udpQueries = 0;
  tcpQueries = 0;
  /** Answered with FORMERR, NOTIMP or BADVERS. */
  malformed = 0;
  /** Not answered: answers, pieces of less than a header, longer than any question. */
  dropped = 0;
  /** Answered REFUSED: of another class, zone transfers, not recursive and not ours. */
  refused = 0;
  /** Answered out of the zone, those of them that say that there is no such name, and those that led elsewhere. */
  zoneAnswers = 0;
  zoneNameErrors = 0;
  externalNames = 0;
  /** Of the cache. */
  cacheHits = 0;
  cacheMisses = 0;
  /** Answered with what was true once, since no server answered. */
  staleAnswers = 0;
  /** Answered SERVFAIL since no server answered; and because too many questions were under way. */
  failures = 0;
  overloads = 0;
  /** Answers that were cut short over UDP. */
  truncated = 0;
  /** Questions sent to other servers; those asked over TCP; tries without an answer in time, or without a way. */
  upstreamQueries = 0;
  upstreamStreams = 0;
  upstreamTimeouts = 0;
  upstreamFailures = 0;
  /** Messages from other servers that were no answers to what was asked. */
  upstreamMismatches = 0;
  /** Connections taken; ended to make room; ended because they were idle or too slow. */
  connections = 0;
  connectionsDisplaced = 0;
  connectionsIdle = 0;
  /** Zone files read, and those that were none. */
  zonesRead = 0;
  zonesRefused = 0;
}
