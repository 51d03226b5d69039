import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readCandidates, readLabelKinds, readLossCurves, readPastRuns, readShots, readSyntheticPoints } from './readings.js'

let folder: string
const put = (name: string, text: string) => {
  const file = join(folder, name)
  writeFileSync(file, text)
  return file
}
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'bursar-measured-'))))
afterAll(() => rmSync(folder, { recursive: true }))

describe('files of measured points', () => {
  it('are CSV, JSON or JSON Lines, all the same', () => {
    const rows = [
      { model: 'a', examples: 200, loss: 3.5 },
      { model: 'a', examples: 400, loss: 3.25 },
      { model: 'b, large', examples: 200, loss: 2 },
    ]
    const csv = put(
      'a.csv',
      `\ufeffmodel,examples,loss\r\n${rows.map(({ model, examples, loss }) => `"${model}",${examples},${loss}`).join('\r\n')}\r\n`,
    )
    const json = put('a.json', JSON.stringify(rows))
    const lines = put('a.jsonl', rows.map((row) => JSON.stringify(row)).join('\n'))
    expect(readLossCurves(csv)).toEqual(readLossCurves(json))
    expect(readLossCurves(csv)).toEqual(readLossCurves(lines))
    expect(readLossCurves(csv)[1]).toMatchObject({ model: 'b, large', points: [{ examples: 200, loss: 2 }] })
  })

  it.each([
    ['model,examples,loss\na,200,3\na,x,2\n', /row 2, field examples: is "x"/],
    ['model,examples,loss\na,200,0\n', /row 1, field loss: is "0"; a number above 0/],
    ['model,examples,loss\na,200,\n', /row 1, field loss: is missing/],
    ['model,examples,loss\na,200,3\na,200,2\n', /row 2, field examples: is 200 a second time/],
    ['model,examples,loss\na,200\n', /row 1: has 2 cells; 3 were expected/],
    [`${'x'.repeat(5_000)},y\na\n`, /2 were expected, as in the first line \(x{60}…\)\.$/],
    ['model,examples,loss\na,1,\u0000\n', /is no text in UTF-8/],
    ['model,examples,loss\n"a,200,3\n', /ends within quotation marks/],
    ['[{"model": "a"}]', /row 1, field examples: is missing/],
    ['[{"model": "a"}, 3]', /row 2: an object with named fields/],
    ['{"model": ', /row 1: is no JSON/],
    ['', /has no rows/],
  ])('say where they are wrong: %j', (text, message) => expect(() => readLossCurves(put('bad', text))).toThrow(message))

  it('hold features, strategies, kinds', () => {
    expect(readCandidates(put('c.csv', 'name,params,gpu,quality\nx,7,H100,\n'))).toEqual([
      { name: 'x', quality: undefined, features: { params: 7, gpu: 'H100' } },
    ])
    expect(() => readSyntheticPoints(put('s.csv', 'strategy,seeds,queries,score\nmagic,1,1,1\n'))).toThrow(/one of answer_augmentation/)
    expect(() => readLabelKinds(put('k.csv', 'name,usd\npositive,1\n'), put('p.csv', 'name,labels,score\nnegative,1,1\n'))).toThrow(
      /row 1, field name: is "negative"/,
    )
    expect(readShots(put('sh.csv', 'model,shots,accuracy\na,0,0.5\na,4,0.75\n'))[0]?.points).toHaveLength(2)
  })

  it('hold past runs: rows of calls, or what Bursar exports', () => {
    const own = readPastRuns(
      put(
        'r.csv',
        'run,text,input_tokens,output_tokens,cached_tokens\nr1,do it,100,10,\nr1,do it,200,10,50\nr2,do that,300,5,0\n,none,1,1,0\n',
      ),
    )
    expect(own.map(({ steps }) => steps.length)).toEqual([2, 1])
    expect(own[0]?.steps[1]).toEqual({ inputTokens: 200, outputTokens: 10, cachedTokens: 50 })
    const call = (run: string, at: string, end = 'complete', more: object = {}) =>
      JSON.stringify({
        run,
        at,
        end,
        key: 'k',
        operation: 'generate',
        ...more,
        tags: { category: 'c' },
        usage: { inputTokens: 100, cacheReadTokens: 900, outputTokens: 7 },
      })
    const exported = readPastRuns(
      put(
        'calls.jsonl',
        [
          call('new', '2026-02-02'),
          call('old', '2026-01-02'),
          call('old', '2026-01-01'),
          call('old', '2026-01-03', 'failed'),
          call('old', '2026-01-03', 'complete', { operation: 'embed' }),
          call('old', '2026-03-01', 'complete', { key: 'other' }),
        ].join('\n'),
      ),
    )
    expect(exported.map(({ task, category, steps }) => [task, category, steps.length])).toEqual([
      ['old', 'c', 2],
      ['new', 'c', 1],
      ['old', 'c', 1],
    ])
    expect(exported[0]?.steps[0]).toEqual({ inputTokens: 1_000, outputTokens: 7, cachedTokens: 900 })
    expect(() => readPastRuns(put('none.csv', 'run,input_tokens\n,3\n'))).toThrow(/bursar export/)
  })
})
