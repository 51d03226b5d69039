import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { dataSource } from '../report.js'
import { loadAlpacaEval } from './alpaca-eval.js'
import type { LoadedConversations, RecordedConversation } from './conversation.js'
import { DataProblem, oneFile, readRows } from './source.js'

/** AlpacaEval's instructions, with the texts of all recorded models as answers. */
export function loadAlpacaQuestions(folder: string): LoadedConversations {
  const { rows, sources, name } = loadAlpacaEval(folder)
  return {
    name,
    conversations: [...rows].map(({ id, request, outcomes }): RecordedConversation => ({
      id,
      body: { messages: request.messages, max_tokens: 2048 },
      answers: Object.values(outcomes).flatMap(({ answer }) => (answer === undefined ? [] : [{ text: answer, calls: [] }])),
    })),
    sources,
    notes: [],
  }
}

const problem = z.looseObject({ id: z.string().min(1), question: z.string().min(1) })
const solved = z.object({ solution: z.string() })

/**
 * GSM8K's problems as an evaluation harness sends them (temperature 0, a seed, a stop sequence), with the recorded solutions as
 * answers.
 */
export function loadGsm8kQuestions(folder: string): LoadedConversations {
  const { rows, source } = readRows(oneFile(folder, /^test_with_.*solutions.*\.jsonl(\.gz)?$/), problem)
  return {
    name: 'gsm8k',
    conversations: rows.map((row): RecordedConversation => ({
      id: row.id,
      body: {
        messages: [{ role: 'user', content: `Question: ${row.question}\nAnswer:` }],
        temperature: 0,
        seed: 1234,
        stop: ['Question:'],
        max_tokens: 512,
      },
      answers: Object.values(row).flatMap((value) => {
        const read = solved.safeParse(value)
        return read.success ? [{ text: read.data.solution, calls: [] }] : []
      }),
    })),
    sources: [source],
    notes: ['settings of an evaluation harness: seed and stop are refused where a format has none'],
  }
}

const natural = z.object({
  question: z.string().min(1),
  answers: z.array(z.string()).min(1),
  gold_title: z.string(),
  gold_passage: z.string(),
})

/** Natural Questions with their passage, as retrieval pipelines send them. */
export function loadNaturalQuestions(folder: string): LoadedConversations {
  const { rows, source } = readRows(oneFile(folder, /^nq_open.*\.jsonl(\.gz)?$/), natural)
  return {
    name: 'nq_open_gold',
    conversations: rows.map((row, index): RecordedConversation => ({
      id: `nq-${index}`,
      body: {
        messages: [
          { role: 'system', content: 'Answer from the passage.' },
          {
            role: 'user',
            content: [
              { type: 'text', text: `${row.gold_title}\n\n${row.gold_passage}` },
              { type: 'text', text: row.question },
            ],
          },
        ],
      },
      answers: row.answers.map((text) => ({ text, calls: [] })),
    })),
    sources: [source],
    notes: [],
  }
}

const query = z.object({ question: z.string().min(1), sql: z.string().min(1) })
const answerSchema = {
  type: 'object',
  properties: { sql: { type: 'string', description: 'One SQLite statement.' } },
  required: ['sql'],
  additionalProperties: false,
}

/** Questions to two databases, with the schema in the instructions and an answer held to a JSON schema. */
export function loadText2Sql(folder: string): LoadedConversations {
  const files = existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => /_questions.*\.jsonl(\.gz)?$/.test(name))
        .sort()
    : []
  if (files.length === 0) throw new DataProblem(`${folder}: expected files like *_questions.jsonl, found none.`)
  const loaded = files.map((name) => {
    const database = name.slice(0, name.indexOf('_questions'))
    const schemaFile = oneFile(folder, new RegExp(`^${database}_schema.*\\.csv$`))
    const tables = readFileSync(schemaFile, 'utf8')
    const { rows, source } = readRows(join(folder, name), query)
    return {
      conversations: rows.map(({ question, sql }, index): RecordedConversation => ({
        id: `${database}-${index}`,
        body: {
          messages: [
            { role: 'system', content: `Tables:\n${tables}` },
            { role: 'user', content: question },
          ],
          response_format: { type: 'json_schema', json_schema: { name: 'query', schema: answerSchema, strict: true } },
        },
        answers: [{ text: JSON.stringify({ sql }), calls: [] }],
      })),
      sources: [source, dataSource(`${database}_schema`, schemaFile, tables.trimEnd().split('\n').length)],
    }
  })
  return {
    name: 'text2sql',
    conversations: loaded.flatMap(({ conversations }) => conversations),
    sources: loaded.flatMap(({ sources }) => sources),
    notes: [],
  }
}
