import { testAgainstOracle } from './oracle/suite.ts';

testAgainstOracle({ packets: 1_000_000 });
