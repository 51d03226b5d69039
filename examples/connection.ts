import { existsSync, readFileSync } from 'node:fs'

/**
 * Where the examples find the gateway: `BURSAR_URL`, `BURSAR_KEY` and `BURSAR_MODEL`, or what `npm start` in this folder
 * serves when nothing else is set up: the sandbox, with the key that it keeps in `.bursar/key`.
 */
export const url = process.env['BURSAR_URL'] ?? 'http://127.0.0.1:8787'
export const key = process.env['BURSAR_KEY'] ?? (existsSync('.bursar/key') ? readFileSync('.bursar/key', 'utf8').trim() : 'none')
export const model = process.env['BURSAR_MODEL'] ?? 'sandbox/large'
