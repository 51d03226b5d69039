import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { DataSource } from '../report.js'
import {
  assistantMessage,
  functionTool,
  type LoadedConversations,
  type RecordedAnswer,
  type RecordedCall,
  type RecordedConversation,
} from './conversation.js'
import { parsePythonCall } from './python-call.js'
import { DataProblem, readRows } from './source.js'

const message = z.object({ role: z.enum(['system', 'user', 'assistant']), content: z.string() })
const turns = z.array(z.array(message).min(1)).min(1)
const callValues = z.record(z.string(), z.record(z.string(), z.array(z.unknown())))
const singleTurn = z.object({
  id: z.string().min(1),
  question: turns,
  function: z.array(z.object({ name: z.string().min(1), description: z.string(), parameters: z.record(z.string(), z.unknown()) })),
  ground_truth: z.array(callValues).optional(),
})
const multiTurn = z.object({
  id: z.string().min(1),
  question: turns,
  path: z.array(z.string()),
  ground_truth: z.array(z.array(z.string())),
})

const FILES = /^(?:live_|simple|multiple|parallel|irrelevance|multi_turn).*\.jsonl(?:\.gz)?$/

/**
 * The function-calling leaderboard as conversations: questions with their candidate functions, and the expected calls as answers.
 * Types that are Python's become JSON Schema's, and dots in names become underscores, as every client of these providers must do.
 */
export function loadBfcl(folder: string): LoadedConversations {
  const files = existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => FILES.test(name))
        .sort()
    : []
  if (files.length === 0) throw new DataProblem(`${folder}: expected files like ${FILES.source}, found none.`)
  const conversations: RecordedConversation[] = []
  const sources: DataSource[] = []
  for (const name of files) {
    const file = join(folder, name)
    if (name.startsWith('multi_turn')) {
      const { rows, source } = readRows(file, multiTurn)
      sources.push(source)
      conversations.push(...rows.map((row) => severalTurns(row, file)))
    } else {
      const { rows, source } = readRows(file, singleTurn)
      sources.push(source)
      conversations.push(...rows.map(oneTurn))
    }
  }
  return {
    name: 'bfcl',
    conversations,
    sources,
    notes: [
      'dict, float, tuple and any are object, number, array and no type',
      'dots in names are underscores',
      'results of the multi-turn calls are made up: the data has none',
    ],
  }
}

function oneTurn(row: z.infer<typeof singleTurn>): RecordedConversation {
  return {
    id: row.id,
    body: {
      messages: row.question.flat(),
      ...(row.function.length === 0
        ? {}
        : {
            tools: row.function.map((tool) => functionTool(clientName(tool.name), tool.description, jsonSchema(tool.parameters))),
            tool_choice: 'auto',
          }),
      temperature: 0,
    },
    answers:
      row.ground_truth === undefined
        ? []
        : [
            {
              calls: row.ground_truth.flatMap((calls) =>
                Object.entries(calls).map(([name, values], index) => expectedCall(name, values, index)),
              ),
            },
          ],
  }
}

/** The first value that the leaderboard accepts of each argument; an empty string there means that it may be left out. */
function expectedCall(name: string, values: Readonly<Record<string, readonly unknown[]>>, index: number): RecordedCall {
  const given = Object.entries(values).flatMap(([key, accepted]) =>
    accepted.length === 0 || accepted[0] === '' ? [] : [[key, accepted[0]] as const],
  )
  return { id: `call_${index}`, name: clientName(name), arguments: JSON.stringify(Object.fromEntries(given)) }
}

function severalTurns(row: z.infer<typeof multiTurn>, file: string): RecordedConversation {
  const messages: Record<string, unknown>[] = []
  const answers: RecordedAnswer[] = []
  let count = 0
  row.question.forEach((said, turn) => {
    messages.push(...said)
    const calls = (row.ground_truth[turn] ?? []).map((text): RecordedCall => {
      const call = parsePythonCall(text)
      if (call === undefined) throw new DataProblem(`${file}, row ${row.id}, field ground_truth: "${text}" is no call.`)
      return { id: `call_${count++}`, name: clientName(call.name), arguments: JSON.stringify(call.arguments) }
    })
    if (calls.length > 0) answers.push({ calls })
    if (turn === row.question.length - 1) return
    if (calls.length > 0)
      messages.push(
        assistantMessage({ calls }),
        ...calls.map(({ id }) => ({ role: 'tool', tool_call_id: id, content: `{"turn": ${turn}, "ok": true}` })),
      )
    messages.push(assistantMessage({ text: `Turn ${turn + 1} is done.`, calls: [] }))
  })
  const names = new Set([
    ...row.path.map((path) => path.slice(path.lastIndexOf('.') + 1)),
    ...answers.flatMap((answer) => answer.calls.map((call) => call.name)),
  ])
  return {
    id: row.id,
    body: {
      messages,
      tools: [...names].map((name) => functionTool(name, `The function ${name}.`, { type: 'object', properties: {} })),
      parallel_tool_calls: true,
    },
    answers,
  }
}

function clientName(name: string): string {
  return name.replaceAll('.', '_')
}

const types: Readonly<Record<string, string | undefined>> = {
  dict: 'object',
  float: 'number',
  tuple: 'array',
  list: 'array',
  any: undefined,
}

/** Python's names of types as JSON Schema's, at every depth where a schema stands. */
export function jsonSchema(schema: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const written: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(schema)) {
    if (key === 'type' && typeof value === 'string') {
      const type = Object.hasOwn(types, value) ? types[value] : value
      if (type !== undefined) written['type'] = type
    } else if (key === 'properties' && isRecord(value)) {
      written[key] = Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, isRecord(inner) ? jsonSchema(inner) : inner]))
    } else written[key] = (key === 'items' || key === 'additionalProperties') && isRecord(value) ? jsonSchema(value) : value
  }
  return written
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
