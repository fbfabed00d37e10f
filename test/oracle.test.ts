import { testAgainstOracle } from './oracle/suite.ts';

testAgainstOracle({ packets: 20_000 });
