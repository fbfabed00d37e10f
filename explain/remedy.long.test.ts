import { testAdvice } from '../test/policy/advice.ts';

testAdvice({ seed: 4_000_000, worlds: 500 });
