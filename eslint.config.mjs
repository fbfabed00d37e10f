// Lint for meaning; biome does the formatting. strictTypeChecked, less the rules that fight the code Sluice needs.
import tseslint from 'typescript-eslint';

export default tseslint.config(
  {
    ignores: ['**/dist*/', '**/node_modules/', '**/build/', '.tap/', 'scripts/', 'examples/', '**/*.mjs', '**/*_pb.ts'],
  },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // Indexing is typed as never missing (noUncheckedIndexedAccess is off for the sake of typed arrays), so this
      // rule calls every check of a Map-like record or of argv needless.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      // Index loops over typed arrays are deliberate: an iterator allocates.
      '@typescript-eslint/prefer-for-of': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // State machines and enumerations list every value on purpose.
      '@typescript-eslint/no-unnecessary-type-arguments': 'off',
      '@typescript-eslint/no-extraneous-class': ['error', { allowStaticOnly: false, allowWithDecorator: false }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      '@typescript-eslint/no-dynamic-delete': 'off',
      'no-console': 'off',
      'max-params': ['warn', 9],
    },
  },
  {
    // tap's t.test() returns a promise that only the runner waits for, and answers in JSON are loosely typed.
    files: ['**/*.test.ts', '**/*.bench.ts', 'test/**', 'bench/**'],
    rules: {
      '@typescript-eslint/no-floating-promises': 'off',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/no-explicit-any': 'off',
      '@typescript-eslint/restrict-plus-operands': 'off',
      '@typescript-eslint/no-base-to-string': 'off',
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
    },
  },
);
