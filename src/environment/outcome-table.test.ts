import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readOutcomeTable, recordedAnswers, type OutcomeRow } from './outcome-table.js'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bursar-outcomes-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

let files = 0
function write(content: string | Buffer): string {
  const file = join(folder, `table${files++}.jsonl`)
  writeFileSync(file, content)
  return file
}

async function read(file: string): Promise<OutcomeRow[]> {
  const rows: OutcomeRow[] = []
  for await (const row of readOutcomeTable(file)) rows.push(row)
  return rows
}

const row = (id: string, outcomes: object = { a: { answer: 'x' } }) => ({
  id,
  request: { messages: [{ role: 'user', content: `question ${id}` }] },
  outcomes,
})
const lines = (...rows: object[]) => rows.map((each) => JSON.stringify(each)).join('\n')

describe('outcome table', () => {
  it('reads plain and gzipped rows alike, whatever the name says', async () => {
    const content = `${lines(row('1'), row('2'))}\n`
    const plain = await read(write(content))
    expect(plain.map(({ id }) => id)).toEqual(['1', '2'])
    expect(await read(write(gzipSync(content)))).toEqual(plain)
  })

  it('keeps line separators that are not line feeds inside texts, and skips blank lines', async () => {
    const tricky = 'one\u2028two\u2029three\u0085four\r'
    const rows = await read(write(`\n${JSON.stringify(row('1', { a: { answer: tricky } }))}\r\n\n`))
    expect(rows[0]?.outcomes.a?.answer).toBe(tricky)
  })

  it('reads rows longer than its buffers, with characters across their borders', async () => {
    const long = 'é✓𝄞'.repeat(120_000)
    const rows = await read(write(gzipSync(lines(row('1', { a: { answer: long } }), row('2')))))
    expect(rows[0]?.outcomes.a?.answer).toBe(long)
    expect(rows[1]?.id).toBe('2')
  })

  it.each([
    ['no JSON', `${JSON.stringify(row('1'))}\n{"id": `, /row 2: is not JSON/],
    ['a missing field', lines(row('1'), { id: '2', outcomes: {} }), /row 2: request/],
    ['a quality above 1', lines(row('1', { a: { quality: 1.5 } })), /row 1: outcomes\.a\.quality/],
    [
      'a broken sample',
      lines(row('1', { a: { samples: [{ outputTokens: 1 }, { outputTokens: -1 }] } })),
      /row 1: outcomes\.a\.samples\[1\]\.outputTokens/,
    ],
    ['an id that comes twice', lines(row('1'), row('1')), /row 2: id: "1"/],
    [
      'half a surrogate pair',
      `{"id":"1","request":{"messages":[{"role":"user","content":"q"}]},"outcomes":{"a":{"answer":"\\ud83d"}}}`,
      /outcomes\.a\.answer: holds half/,
    ],
  ])('names row and field for %s', async (_what, content, message) => {
    await expect(read(write(content))).rejects.toThrow(message)
  })

  it('names the row for bytes that are not UTF-8', async () => {
    await expect(
      read(write(Buffer.concat([Buffer.from(`${JSON.stringify(row('1'))}\n`), Buffer.from([0x22, 0xff, 0x22])]))),
    ).rejects.toThrow(/row 2: is not UTF-8/)
  })

  it('fails on a gzip file that ends too early, and on a file that is not there', async () => {
    const packed = gzipSync(
      lines(...Array.from({ length: 200 }, (_, index) => row(String(index), { a: { answer: String(Math.sin(index)) } }))),
    )
    await expect(read(write(packed.subarray(0, packed.length - 20)))).rejects.toThrow(/ends too early/)
    await expect(read(join(folder, 'nothing.jsonl'))).rejects.toThrow(/doesn't exist/)
  })

  it('closes the file when the reader stops early', async () => {
    const file = write(gzipSync(lines(row('1'), row('2'))))
    for await (const first of readOutcomeTable(file)) {
      expect(first.id).toBe('1')
      break
    }
    rmSync(file)
  })

  it('gives samples in the order drawn, with the input tokens of the whole', () => {
    const answers = recordedAnswers({
      answer: 'whole',
      inputTokens: 7,
      samples: [{ answer: 'b', outputTokens: 2 }, { quality: 1 }, { answer: 'a', inputTokens: 9 }],
    })
    expect(answers.map(({ answer, inputTokens, outputTokens }) => [answer, inputTokens, outputTokens])).toEqual([
      ['b', 7, 2],
      ['a', 9, undefined],
    ])
    expect(recordedAnswers({ answer: 'whole', outputTokens: 1 })).toEqual([{ answer: 'whole', outputTokens: 1 }])
    expect(recordedAnswers({ quality: 1 })).toEqual([])
  })
})
