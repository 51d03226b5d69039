import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startQuietGateway } from '../../gateway/fixtures/quiet-gateway.js'
import type { Gateway } from '../../gateway/index.js'
import { drive } from './drive.js'
import { driveFormats } from './formats.js'

const KEY = 'sk-drive-0123456789abcdef'
const answers = [
  'Plain.',
  '',
  ' leading and trailing \n\n',
  'Zürich ✓ 東京 👩‍👩‍👧 "quoted" \\ back\u2028line \u0000 nul',
  'data: [DONE]\n\nevent: error\n',
  'x'.repeat(70_000),
]
const rows = answers.map((answer, index) => ({
  id: `row ${index}`,
  // Two rows share their messages: only the id tells them apart.
  request: {
    messages: [
      { role: 'system', content: 'Be exact.' },
      { role: 'user', content: `question ${Math.max(1, index)}\r\n` },
    ],
  },
  outcomes: {
    priced: { answer, inputTokens: 100 + index, outputTokens: index * 333, reasoningTokens: index },
    'with/slash and blank': { answer: `${answer}!`, inputTokens: 7, outputTokens: 1, usd: 0.000000123456 },
    unpriced: { samples: [{ answer, inputTokens: 5, outputTokens: 6 }] },
  },
}))

let folder: string
let file: string
let gateway: Gateway
let url: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bursar-drive-gateway-'))
  file = join(folder, 'table.jsonl.gz')
  writeFileSync(file, gzipSync(rows.map((row) => JSON.stringify(row)).join('\n')))
  writeFileSync(join(folder, 'table.prices.json'), JSON.stringify({ priced: { input: 0.0375, output: 0.15 } }))
  const started = await startQuietGateway({
    keys: [{ name: 'test', key: KEY }],
    providers: { recorded: { type: 'recorded', file, speed: 'instant' } },
  })
  gateway = started.gateway
  url = started.url
})
afterAll(async () => {
  await gateway.close()
  rmSync(folder, { recursive: true })
})

describe('recorded answers through the gateway', () => {
  it.each(driveFormats.flatMap((format) => [true, false].map((stream) => ({ format, stream }))))(
    'arrive byte for byte and are billed exactly: $format, streaming $stream',
    async ({ format, stream }) => {
      const report = await drive({ requests: file, baseUrl: url, key: KEY, concurrency: 4, format, stream })
      expect(report.mismatches).toEqual([])
      expect(report.ok).toBe(true)
      expect(report.total.toJSON()).toMatchObject({ calls: 18, identical: 18, billedUnknown: 6, expectedUnknown: 6 })
      expect(report.total.billed.known).toBe(report.total.expected.known)
      expect(report.models.get('priced')?.billed.unknown).toBe(0)
    },
  )

  it('refuse a request that was never recorded, and a model without an answer, in the caller’s format', async () => {
    const post = async (body: object) => {
      const response = await fetch(`${url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
      return [response.status, await response.json()]
    }
    expect(await post({ model: 'recorded/priced', messages: [{ role: 'user', content: 'never asked' }] })).toMatchObject([
      404,
      { error: { code: 'not_found', param: 'messages' } },
    ])
    expect(await post({ model: 'recorded/nobody', messages: [{ role: 'user', content: 'question 1' }] })).toMatchObject([
      404,
      { error: { code: 'model_not_found', param: 'model' } },
    ])
  })
})
