import { testAdvice } from '../test/policy/advice.ts';

testAdvice({ seed: 11, worlds: 40 });
