import { createRequire } from 'node:module'
import type { Agent } from 'undici'

/**
 * undici's connection pools without the rest of undici: its index also loads fetch, web sockets, caches and mocks, which
 * nobody here uses and which stay in memory. The package exports no sub-paths, so this reaches into the
 * pinned version; a version that moves the file fails at the first start and in every test.
 */
export const UndiciAgent = createRequire(import.meta.url)('undici/lib/dispatcher/agent.js') as typeof Agent
