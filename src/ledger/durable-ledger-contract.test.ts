import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { openDurableLedger } from './durable-ledger.js'
import { ledgerContract } from './ledger-contract.js'

// In a file of its own: each test starts a worker thread, which takes a while, and files run side by side.
const folders: string[] = []
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })))
ledgerContract('durable ledger, embedded', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bursar-contract-'))
  folders.push(folder)
  return openDurableLedger({ journals: join(folder, 'journals'), store: { file: join(folder, 'bursar.db') } })
})
