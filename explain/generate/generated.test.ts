import { testGenerated } from '../../test/policy/generated.ts';

testGenerated({ seed: 17, worlds: 5 });
