import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { OutcomeRow } from '../../environment/index.js'
import { CsvSplitter } from './csv.js'
import { ArraySplitter } from './json-elements.js'
import { openLog, type LogOptions } from './registry.js'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bursar-logs-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

let files = 0
function write(content: string | Buffer): string {
  const file = join(folder, `log${files++}`)
  writeFileSync(file, content)
  return file
}
const lines = (...records: object[]) => records.map((record) => JSON.stringify(record)).join('\n')
const csv = (...records: Readonly<Record<string, unknown>>[]) => {
  const names = Object.keys(records[0] ?? {})
  const cell = (value: unknown) =>
    `"${(typeof value === 'string' ? value : value === undefined || value === null ? '' : JSON.stringify(value)).replaceAll('"', '""')}"`
  return [names.join(','), ...records.map((record) => names.map((name) => cell(record[name])).join(','))].join('\r\n')
}

async function read(file: string, options: LogOptions = {}): Promise<{ format: string; rows: OutcomeRow[]; faults: string[] }> {
  const log = await openLog(file, options)
  const rows: OutcomeRow[] = []
  const faults: string[] = []
  for await (const batch of log.rows({ onFault: ({ message }) => void faults.push(message) })) rows.push(...batch)
  return { format: log.format, rows, faults }
}

async function drain(batches: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of batches);
}

const asked = [{ role: 'user', content: 'Which river?' }]

const litellm = {
  request_id: 'chatcmpl-1',
  call_type: 'acompletion',
  spend: 0.0025,
  prompt_tokens: 100,
  completion_tokens: 50,
  startTime: '2026-10-01T10:00:00.000Z',
  endTime: '2026-10-01T10:00:04.000Z',
  completionStartTime: '2026-10-01T10:00:01.500Z',
  model: 'gpt-4o',
  custom_llm_provider: 'openai',
  status: 'success',
  messages: asked,
  response: { choices: [{ message: { role: 'assistant', content: 'The Rhine.' } }] },
}
const litellmRow = {
  id: 'chatcmpl-1',
  request: { messages: asked },
  outcomes: {
    'openai/gpt-4o': { usd: 0.0025, inputTokens: 100, outputTokens: 50, seconds: 4, firstTokenSeconds: 1.5, answer: 'The Rhine.' },
  },
}

describe('LiteLLM spend logs', () => {
  it.each([
    ['JSON Lines', lines(litellm, { ...litellm, request_id: 'bad', status: 'failure' })],
    ['a JSON array over several lines', JSON.stringify([litellm, { ...litellm, request_id: 'e', call_type: 'aembedding' }], null, 2)],
    ['a document with a list', JSON.stringify({ data: [litellm], total: 1 })],
    ['CSV', csv(litellm, { ...litellm, request_id: 'bad', status: 'failure' })],
    ['gzipped CSV', gzipSync(csv(litellm))],
  ])('as %s', async (_what, content) => {
    expect(await read(write(content))).toEqual({ format: 'litellm', rows: [litellmRow], faults: [] })
  })

  it('without stored prompts, and with answers that were not streamed', async () => {
    const { rows } = await read(write(lines({ ...litellm, messages: {}, response: {}, completionStartTime: litellm.endTime })))
    expect(rows[0]).toEqual({
      id: 'chatcmpl-1',
      request: { messages: [{ role: 'user', content: '' }], contentStored: false },
      outcomes: { 'openai/gpt-4o': { usd: 0.0025, inputTokens: 100, outputTokens: 50, seconds: 4 } },
    })
  })
})

describe('Langfuse exports', () => {
  const generation = {
    id: 'obs-1',
    traceId: 't1',
    type: 'GENERATION',
    startTime: '2026-10-01T10:00:00.000Z',
    endTime: '2026-10-01T10:00:02.000Z',
    completionStartTime: '2026-10-01T10:00:00.500Z',
    model: 'gpt-4o-2024-08-06',
    input: { messages: asked },
    output: { role: 'assistant', content: 'The Rhine.' },
    usageDetails: { input: 90, input_cached_tokens: 10, output: 20, total: 120 },
    calculatedTotalCost: 0.001,
    level: 'DEFAULT',
  }
  const outcome = {
    usd: 0.001,
    inputTokens: 100,
    cacheReadTokens: 10,
    outputTokens: 20,
    seconds: 2,
    firstTokenSeconds: 0.5,
    answer: 'The Rhine.',
  }

  it('observations; only generations that ended well', async () => {
    const found = await read(
      write(lines(generation, { ...generation, id: 's', type: 'SPAN', model: null }, { ...generation, id: 'e', level: 'ERROR' })),
    )
    expect(found).toEqual({
      format: 'langfuse',
      rows: [{ id: 'obs-1', request: { messages: asked }, outcomes: { 'gpt-4o-2024-08-06': outcome } }],
      faults: [],
    })
  })

  it('a trace with its observations and scores', async () => {
    const trace = {
      id: 't1',
      name: 'chat',
      observations: [generation, { ...generation, id: 's', type: 'SPAN' }],
      scores: [
        { name: 'helpful', value: 0.5 },
        { name: 'right', value: 1, observationId: 'obs-1' },
        { name: 'stars', value: 4 },
      ],
    }
    const { rows, format } = await read(write(JSON.stringify(trace, null, 1)))
    expect([format, rows[0]?.outcomes]).toEqual(['langfuse', { 'gpt-4o-2024-08-06': { ...outcome, quality: 0.75 } }])
  })

  it('a blob-storage export with underscores, as CSV', async () => {
    const record = {
      id: 'obs-1',
      trace_id: 't1',
      type: 'GENERATION',
      start_time: '2026-10-01 10:00:00.000000',
      end_time: '2026-10-01 10:00:02.000000',
      provided_model_name: 'gpt-4o',
      input: { messages: asked },
      output: 'The Rhine.',
      usage_details: { input: 90, output: 20 },
      total_cost: '0.001',
    }
    const { rows, faults } = await read(write(csv(record)))
    expect(faults).toEqual([])
    expect(rows[0]?.outcomes).toEqual({ 'gpt-4o': { usd: 0.001, inputTokens: 90, outputTokens: 20, seconds: 2, answer: 'The Rhine.' } })
  })
})

describe('Helicone exports', () => {
  const record = {
    response_id: 'r1',
    request_id: 'q1',
    response_status: 200,
    request_model: 'claude-sonnet-4-5',
    response_model: 'claude-sonnet-4-5',
    provider: 'ANTHROPIC',
    delay_ms: 2500,
    time_to_first_token: 300,
    prompt_tokens: 10,
    completion_tokens: 5,
    costUSD: 0.0001,
    feedback_rating: true,
    request_body: {
      model: 'claude-sonnet-4-5',
      max_tokens: 10,
      system: 'Be brief.',
      messages: [{ role: 'user', content: [{ type: 'text', text: 'Which river?' }] }],
    },
    response_body: { role: 'assistant', content: [{ type: 'text', text: 'The Rhine.' }] },
  }
  it.each([
    ['JSON Lines', lines(record, { ...record, request_id: 'q2', response_status: 500 })],
    ['JSON', JSON.stringify([record])],
    ['CSV', csv(record)],
  ])('as %s', async (_what, content) => {
    const { format, rows, faults } = await read(write(content))
    expect([format, faults, rows.length]).toEqual(['helicone', [], 1])
    expect(rows[0]?.outcomes).toEqual({
      'anthropic/claude-sonnet-4-5': {
        usd: 0.0001,
        inputTokens: 10,
        outputTokens: 5,
        seconds: 2.5,
        firstTokenSeconds: 0.3,
        answer: 'The Rhine.',
        quality: 1,
      },
    })
    expect(JSON.stringify(rows[0]?.request)).toContain('Which river?')
  })
})

describe('OpenRouter', () => {
  it('the CSV of the activity page', async () => {
    const record = {
      generation_id: 'gen-1',
      created_at: '2026-10-01 10:00:00.1',
      cost_total: '0.0123',
      cost_cache: '0',
      tokens_prompt: '100',
      tokens_completion: '60',
      tokens_reasoning: '20',
      tokens_cached: '30',
      model_permaslug: 'openai/gpt-5-mini-2025-08-07',
      variant: 'standard',
      cancelled: 'false',
      generation_time_ms: '3000',
      time_to_first_token_ms: '400',
    }
    expect(await read(write(csv(record, { ...record, generation_id: 'gen-2', cancelled: 'true' })))).toMatchObject({
      format: 'openrouter',
      faults: [],
      rows: [
        {
          id: 'gen-1',
          request: { contentStored: false },
          outcomes: {
            'openai/gpt-5-mini-2025-08-07': {
              usd: 0.0123,
              inputTokens: 100,
              cacheReadTokens: 30,
              outputTokens: 40,
              reasoningTokens: 20,
              seconds: 3,
              firstTokenSeconds: 0.4,
            },
          },
        },
      ],
    })
  })

  it('a generation as the API gives it', async () => {
    const { format, rows } = await read(
      write(
        JSON.stringify(
          {
            data: {
              id: 'gen-1',
              model: 'openai/gpt-5',
              total_cost: 0.5,
              native_tokens_prompt: 7,
              native_tokens_completion: 3,
              native_tokens_reasoning: 0,
              generation_time: 1200,
              latency: 200,
            },
          },
          null,
          2,
        ),
      ),
    )
    expect([format, rows[0]?.outcomes]).toEqual([
      'openrouter',
      { 'openai/gpt-5': { usd: 0.5, inputTokens: 7, outputTokens: 3, reasoningTokens: 0, seconds: 1.2, firstTokenSeconds: 0.2 } },
    ])
  })
})

describe('OpenAI batches', () => {
  const body = {
    id: 'c',
    model: 'gpt-4o-mini',
    choices: [{ message: { content: 'The Rhine.' } }],
    usage: { prompt_tokens: 9, completion_tokens: 6, completion_tokens_details: { reasoning_tokens: 2 } },
  }
  const output = lines(
    { id: 'b1', custom_id: 'one', response: { status_code: 200, body }, error: null },
    { id: 'b2', custom_id: 'two', response: null, error: { code: 'expired' } },
    { id: 'b3', custom_id: 'three', response: { status_code: 200, body } },
  )
  const input = lines({ custom_id: 'one', method: 'POST', url: '/v1/chat/completions', body: { model: 'gpt-4o-mini', messages: asked } })

  it('pairs answers with what was asked', async () => {
    const { format, rows, faults } = await read(write(output), { batchInput: write(input) })
    expect([format, rows]).toEqual([
      'openai-batch',
      [
        {
          id: 'one',
          request: { messages: asked },
          outcomes: { 'gpt-4o-mini': { inputTokens: 9, outputTokens: 4, reasoningTokens: 2, answer: 'The Rhine.' } },
        },
      ],
    ])
    expect(faults).toEqual([expect.stringMatching(/row 3: custom_id: "three" is not in/)])
  })

  it('goes without the input, and says what an input file alone is', async () => {
    expect((await read(write(output))).rows.map(({ id }) => id)).toEqual(['one', 'three'])
    await expect(read(write(input))).rejects.toThrow(/batch input file/)
    await expect(read(write(output), { batchInput: write('{"custom_id": "x"}') })).rejects.toThrow(/row 1: body/)
  })
})

describe('pairs of requests and responses', () => {
  it('by whatever usual names', async () => {
    const response = {
      id: 'c1',
      model: 'gpt-4o',
      choices: [{ message: { content: 'The Rhine.' } }],
      usage: { prompt_tokens: 9, completion_tokens: 4 },
    }
    const { format, rows } = await read(
      write(
        lines(
          { request: { model: 'gpt-4o', messages: asked, temperature: 0 }, response, latency_ms: 1500, cost: 0.1, score: 0.5 },
          { request: {}, response: { error: { message: 'no' } } },
        ),
      ),
    )
    expect([format, rows]).toEqual([
      'openai-pairs',
      [
        {
          id: 'c1',
          request: { messages: asked, temperature: 0 },
          outcomes: { 'gpt-4o': { usd: 0.1, seconds: 1.5, quality: 0.5, inputTokens: 9, outputTokens: 4, answer: 'The Rhine.' } },
        },
      ],
    ])
  })
})

describe("Bursar's own", () => {
  const call = {
    at: '2026-10-01T10:00:00Z',
    callId: 'call-1',
    decisionId: 'd1',
    provider: 'openai',
    model: 'gpt-5',
    operation: 'generate',
    end: 'complete',
    usd: '0.01',
    seconds: 2,
    usage: { inputTokens: 5, cacheReadTokens: 3, outputTokens: 2, reasoningTokens: 1 },
  }
  const row = {
    id: 'call-1',
    outcomes: { 'openai/gpt-5': { usd: 0.01, inputTokens: 8, cacheReadTokens: 3, outputTokens: 2, reasoningTokens: 1, seconds: 2 } },
  }
  it('calls, as JSON Lines and CSV with dotted columns', async () => {
    expect(await read(write(lines(call, { ...call, callId: 'x', end: 'failed' })))).toMatchObject({
      format: 'bursar-calls',
      rows: [row],
      faults: [],
    })
    const { usage, ...rest } = call
    const flat = { ...rest, ...Object.fromEntries(Object.entries(usage).map(([name, value]) => [`usage.${name}`, value])) }
    expect(await read(write(csv(flat)))).toMatchObject({ format: 'bursar-calls', rows: [row], faults: [] })
  })

  it('an outcome table', async () => {
    expect(await read(write(lines({ id: '1', request: { messages: asked }, outcomes: {} })))).toMatchObject({
      format: 'outcome-table',
      rows: [{ id: '1' }],
    })
  })
})

describe('what is wrong', () => {
  it('is named by row and field, the rest read', async () => {
    const { rows, faults } = await read(
      write(
        `${lines(litellm, { ...litellm, request_id: '2', prompt_tokens: 'many' })}\n{"request_id": \n${lines({ ...litellm, request_id: '4', startTime: 'noon' }, litellm, { ...litellm, request_id: '6' })}`,
      ),
    )
    expect(rows.map(({ id }) => id)).toEqual(['chatcmpl-1', '6'])
    expect(faults.map((fault) => fault.replace(/^.*, (row)/, '$1'))).toEqual([
      'row 2: prompt_tokens: a number of at least 0 was expected, not "many".',
      expect.stringMatching(/^row 3: is not JSON/),
      'row 4: startTime: a date was expected, not "noon".',
      'row 5: id: "chatcmpl-1" stands in an earlier row already.',
    ])
  })

  it('ends the reading where a CSV or an array is cut off, and where nobody listens', async () => {
    await expect(read(write(`${csv(litellm)}\r\n"open`))).rejects.toThrow(/row 3: can't be read: ends within quotation marks/)
    await expect(read(write(JSON.stringify([litellm, litellm]).slice(0, -1)))).rejects.toThrow(/can't be read: the array ends too early/)
    const log = await openLog(write(lines(litellm, { ...litellm, spend: -1 })))
    await expect(drain(log.rows())).rejects.toThrow(/row 2: spend/)
  })

  it('is told for files that are nothing of the kind', async () => {
    await expect(openLog(write(lines({ colour: 'red' })))).rejects.toMatchObject({
      path: 'log',
      message: expect.stringContaining('colour'),
    })
    // Nothing but line feeds: looked at in one pass, where trying again from each would take minutes.
    await expect(openLog(write(`x${'\n'.repeat(600_000)}`))).rejects.toMatchObject({ code: 'invalid_configuration' })
    await expect(openLog(write('a,b\n1,2\n'), { format: 'prose' })).rejects.toMatchObject({ path: 'format' })
    await expect(openLog(join(folder, 'nothing'))).rejects.toThrow(/doesn't exist/)
    await expect(openLog(write(''))).rejects.toThrow(/no records/)
  })

  it('passes over what was read before', async () => {
    const log = await openLog(write(lines(...Array.from({ length: 5 }, (_, at) => ({ ...litellm, request_id: String(at) })))))
    const ids: string[] = []
    for await (const batch of log.rows({ after: 3 })) ids.push(...batch.map(({ id }) => id))
    expect(ids).toEqual(['3', '4'])
  })
})

describe('splitters', () => {
  it('give the same whatever the pieces', () => {
    const text = 'a,"b ""x"", y\r\n2",\r\n\r\n"",q,"é"\n'
    const array = ' [ {"a": "]\\"}{"}, [1, [2]], "x,y", 3 ] '
    const expected = [
      ['a', 'b "x", y\r\n2', ''],
      ['', 'q', 'é'],
    ]
    for (let size = 1; size <= text.length; size++) {
      const splitter = new CsvSplitter()
      const records = (text.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? []).flatMap((piece) => splitter.push(piece))
      expect([...records, ...splitter.end()].map(({ cells }) => cells)).toEqual(expected)
      const elements = new ArraySplitter()
      expect((array.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? []).flatMap((piece) => elements.push(piece))).toEqual([
        '{"a": "]\\"}{"}',
        '[1, [2]]',
        '"x,y"',
        '3',
      ])
      elements.end()
    }
  })
})
