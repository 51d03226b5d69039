import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    // Tests that start processes and databases may meet a machine that is busy with something else: once more decides. (Whole runs pass without it.)
    retry: 1,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // Two cores: more workers than that only makes timing-sensitive fault tests wait on each other.
    maxWorkers: 2,
  },
})
