import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadAlpacaEval } from '../../bench/data/alpaca-eval.js'
import { writeTable } from '../../bench/data/outcome-file.js'
import { loadRouteLlmGsm8k } from '../../bench/data/routellm.js'
import { o200kTokens } from '../../bench/data/tokens.js'
import { readOutcomeTable, type OutcomeRow } from '../../src/environment/index.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bursar-recorded-data-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const put = (name: string, rows: readonly object[]) => {
  const text = rows.map((row) => JSON.stringify(row)).join('\n')
  writeFileSync(join(folder, name), name.endsWith('.gz') ? gzipSync(text) : text)
}
const table = async (loaded: ReturnType<typeof loadAlpacaEval>) => {
  const out = join(folder, 'out')
  mkdirSync(out)
  await writeTable(loaded, join(out, 'table.jsonl'))
  const rows: OutcomeRow[] = []
  for await (const row of readOutcomeTable(join(out, 'table.jsonl'))) rows.push(row)
  return rows
}

describe('alpaca_eval as an outcome table', () => {
  const instructions = [
    { instruction_id: 1, dataset: 'd', instruction: 'Say <|endoftext|> hello' },
    { instruction_id: 2, dataset: 'd', instruction: 'Nobody answered this' },
  ]
  const outputs = [
    { instruction_id: 1, model: 'a', output: 'Hello ✓' },
    { instruction_id: 1, model: 'b', output: '' },
  ]

  it('joins instructions, answers and scores, and counts tokens', async () => {
    put('instructions_other_split.jsonl.gz', instructions)
    put('outputs_2_models.jsonl', outputs)
    put('scores_2_models.jsonl.gz', [{ instruction_id: 1, model: 'a', preference_vs_gpt4_1106_preview: 0.25 }])
    const loaded = loadAlpacaEval(folder)
    expect(loaded.sources.map(({ rows }) => rows)).toEqual([2, 2, 1])
    expect(Object.keys(loaded.prices)).toEqual(['a', 'b'])
    // As text it is several tokens; as the special token that it names it would be one, or an error.
    expect(o200kTokens('<|endoftext|>')).toBeGreaterThan(3)
    const inputTokens = o200kTokens('Say <|endoftext|> hello')
    expect(await table(loaded)).toEqual([
      {
        id: 'alpaca-1',
        request: { messages: [{ role: 'user', content: 'Say <|endoftext|> hello' }] },
        category: 'd',
        outcomes: {
          a: { answer: 'Hello ✓', inputTokens, outputTokens: o200kTokens('Hello ✓'), quality: 0.25 },
          b: { answer: '', inputTokens, outputTokens: 0 },
        },
      },
    ])
  })

  it.each([
    ['a field of the wrong kind', [{ ...outputs[0], output: 5 }], /outputs_2_models\.jsonl, row 1, field output/],
    ['an answer that comes twice', [...outputs, outputs[0] ?? {}], /row 3, field model: "a" answers instruction 1 twice/],
  ])('names row and field of %s', (_what, rows, message) => {
    put('instructions.jsonl', instructions)
    put('outputs_2_models.jsonl', rows)
    expect(() => loadAlpacaEval(folder)).toThrow(message)
  })

  it('says which file is missing, or that there are several', () => {
    expect(() => loadAlpacaEval(join(folder, 'nowhere'))).toThrow(/doesn't exist.*BURSAR_DATA/)
    expect(() => loadAlpacaEval(folder)).toThrow(/one file like .*instructions.*found none/)
    put('instructions_a.jsonl', instructions)
    put('instructions_b.jsonl', instructions)
    expect(() => loadAlpacaEval(folder)).toThrow(/found instructions_a\.jsonl, instructions_b\.jsonl/)
  })
})

describe('RouteLLM GSM8K as an outcome table', () => {
  const row = {
    id: 'g1',
    prompt: 'How many?',
    mixtral_8x7b_instruct_correct: false,
    gpt4_1106_preview_correct: true,
    mixtral_response: ' 4',
    gpt4_response: '5',
  }

  it('has both answers and whether they were right', async () => {
    put('gsm8k_mixtral_vs_gpt4_x.jsonl.gz', [row])
    expect(await table(loadRouteLlmGsm8k(folder))).toMatchObject([
      {
        id: 'g1',
        outcomes: {
          'mixtral-8x7b-instruct': { answer: ' 4', quality: 0, inputTokens: 3 },
          'gpt-4-1106-preview': { answer: '5', quality: 1, outputTokens: 1 },
        },
      },
    ])
  })

  it('names row and field that are wrong', () => {
    put('gsm8k_mixtral_vs_gpt4.jsonl', [row, { ...row, gpt4_response: null }])
    expect(() => loadRouteLlmGsm8k(folder)).toThrow(/row 2, field gpt4_response/)
  })
})
