import type { Completion } from '../../environment/index.js'
import type { Request } from '../../protocol/index.js'
import { textOf } from '../calls.js'
import { holdsSchema, type CheckResult } from './schema.js'

/** What a check found; `note` is a plain clause without content. */
export interface Checked {
  readonly result: CheckResult
  readonly note: string
}

/** A test of an answer that calls no model: pure, and bounded in time. */
export interface Check {
  readonly id: string
  check(request: Request, completion: Pick<Completion, 'answer'>): Checked
}

/** Characters of an answer that are looked at; a longer one is not checked. */
const LONGEST = 1_000_000

/** The answer came to its end: not cut by a limit, not refused, not empty. */
export const completeCheck: Check = {
  id: 'complete',
  check(_request, { answer }) {
    if (answer.kind !== 'reply') return { result: 'not_checked', note: 'the answer isn’t there to be looked at' }
    const choice = answer.reply.choices[0]
    if (
      choice === undefined ||
      choice.parts.every((part) => part.type === 'reasoning' || (part.type === 'text' && part.text.trim() === ''))
    )
      return broken('the answer is empty')
    if (choice.finish === 'length') return broken('the answer was cut')
    if (choice.finish === 'content_filter' || choice.finish === 'refusal' || choice.parts.some((part) => part.type === 'refusal'))
      return broken('the model refused')
    return held('the answer is complete')
  },
}

/** The answer is the JSON that the request prescribes; `not_checked` where it prescribes none. */
export const jsonCheck: Check = {
  id: 'json_schema',
  check({ responseFormat }, completion) {
    if (responseFormat === undefined || responseFormat.type === 'text')
      return { result: 'not_checked', note: 'the request prescribes no form' }
    const value = parsed(textOf(completion))
    if (value === undefined) return broken('the answer is no JSON')
    if (responseFormat.type === 'json_object')
      return typeof value.json === 'object' && value.json !== null && !Array.isArray(value.json)
        ? held('the answer is a JSON object')
        : broken('the answer is no JSON object')
    const result = holdsSchema(responseFormat.schema, value.json)
    return {
      result,
      note:
        result === 'held'
          ? 'the answer holds the schema'
          : result === 'broken'
            ? 'the answer breaks the schema'
            : 'the schema can’t be checked here',
    }
  },
}

/** Every tool call is to a function that the request offers, with arguments that hold its parameters; `not_checked` where none is made. */
export const toolArgumentsCheck: Check = {
  id: 'tool_arguments',
  check({ tools = [], toolChoice }, { answer }) {
    const calls = answer.kind === 'reply' ? (answer.reply.choices[0]?.parts.filter((part) => part.type === 'tool_call') ?? []) : []
    if (calls.length === 0)
      return toolChoice === 'required' || typeof toolChoice === 'object'
        ? broken('no tool was called, though one had to be')
        : { result: 'not_checked', note: 'no tool was called' }
    let result: CheckResult = 'held'
    for (const call of calls) {
      const tool = tools.find((offered) => offered.type === 'function' && offered.name === call.name)
      if (tool?.type !== 'function') return broken('a tool was called that isn’t offered')
      const args = parsed(call.arguments === '' ? '{}' : call.arguments)
      if (typeof args?.json !== 'object' || args.json === null) return broken('the arguments of a tool call are no JSON object')
      const one = tool.parameters === undefined ? 'held' : holdsSchema(tool.parameters, args.json)
      if (one === 'broken') return broken('the arguments of a tool call break its parameters')
      if (one === 'not_checked') result = one
    }
    return { result, note: result === 'held' ? 'the tool calls hold their parameters' : 'the parameters can’t be checked here' }
  },
}

/** The text matches a pattern (from the configuration, never from a caller: a pattern may take for ever). Looks at the first 20,000 characters. */
export function patternCheck(pattern: RegExp): Check {
  const plain = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ''))
  return {
    id: 'pattern',
    check: (_request, completion) =>
      plain.test(textOf(completion).slice(0, 20_000))
        ? held('the answer matches the pattern')
        : broken('the answer does not match the pattern'),
  }
}

/** All of them: broken where one is, held where at least one is and none is broken. */
export function allChecks(checks: readonly Check[]): Check {
  return {
    id: checks.map(({ id }) => id).join('+'),
    check(request, completion) {
      let best: Checked = { result: 'not_checked', note: 'nothing could be checked' }
      for (const one of checks) {
        const checked = one.check(request, completion)
        if (checked.result === 'broken') return checked
        if (checked.result === 'held') best = checked
      }
      return best
    },
  }
}

/** What a request says of its answer's form: complete, the JSON it prescribes, tool calls as offered. */
export const formCheck: Check = { ...allChecks([completeCheck, jsonCheck, toolArgumentsCheck]), id: 'form' }

function parsed(text: string): { readonly json: unknown } | undefined {
  if (text.length > LONGEST) return undefined
  try {
    return { json: JSON.parse(text.trim()) as unknown }
  } catch {
    return undefined
  }
}

function held(note: string): Checked {
  return { result: 'held', note }
}

function broken(note: string): Checked {
  return { result: 'broken', note }
}
