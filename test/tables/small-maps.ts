import { loadConfig } from '../../daemon/config/config.ts';

/**
 * Capacities of all the maps of an agent, small unless given: those of the defaults take 440 MB, which memoryMapper() has to
 * read and fill for each agent of a test.
 */
export function smallMaps(capacities: Readonly<Record<string, number>> = {}): Record<string, number> {
  return { ...Object.fromEntries(Object.keys(loadConfig().maps).map((option) => [option, 1024])), ...capacities };
}
