import { createReadStream, existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { BursarError, InvalidRequest } from '../../errors/index.js'
import { openaiChat, type Request } from '../../protocol/index.js'

/** A question of a batch file. */
export interface BatchQuestion {
  /** The caller's own name of it. */
  readonly id: string
  readonly request: Request
}

/** Characters of a line that is looked at. */
const LONGEST_LINE = 16 * 1024 * 1024

const line = z.looseObject({
  custom_id: z.string().min(1).max(512),
  method: z.literal('POST').optional(),
  url: z.string().optional(),
  body: z.record(z.string(), z.unknown()),
})

/**
 * Questions of an OpenAI batch file: JSON Lines of `{custom_id, method, url, body}` with bodies of `/v1/chat/completions`. One line at a time is in memory. What is wrong with a line
 * is told to `onFault` with its number and field, and the rest goes on; a file that can't be read ends it. `model`: asked in place of the one that a line names.
 */
export async function* readBatch(file: string, model: string | undefined, onFault: (fault: BursarError) => void): AsyncGenerator<BatchQuestion> {
  if (!existsSync(file)) throw new InvalidRequest(`There is no file ${file}.`, { path: 'questions' })
  const seen = new Set<string>()
  let number = 0
  for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    number += 1
    if (text.trim() === '') continue
    try {
      const question = questionOf(text, model)
      if (seen.has(question.id)) throw new InvalidRequest(`"${question.id}" stands in an earlier line already.`, { path: 'custom_id' })
      seen.add(question.id)
      yield question
    } catch (thrown) {
      if (!BursarError.is(thrown)) throw thrown
      onFault(new InvalidRequest(`${file}, line ${number}: ${thrown.message}`, { path: thrown.path ?? 'line', cause: thrown }))
    }
  }
}

function questionOf(text: string, model: string | undefined): BatchQuestion {
  if (text.length > LONGEST_LINE) throw new InvalidRequest(`the line is longer than ${LONGEST_LINE} characters.`, { path: 'line' })
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (thrown) {
    throw new InvalidRequest(`no JSON (${thrown instanceof Error ? thrown.message : 'unreadable'}).`, { path: 'line' })
  }
  const read = line.safeParse(json)
  if (!read.success) {
    const issue = read.error.issues[0]
    throw new InvalidRequest(`${issue?.path.join('.') || 'line'}: ${issue?.message ?? 'has the wrong shape'}.`, { path: issue?.path.join('.') || 'line' })
  }
  const { custom_id: id, url, body } = read.data
  if (url !== undefined && url !== '/v1/chat/completions') throw new InvalidRequest(`url: only /v1/chat/completions can be answered here, not ${url}.`, { path: 'url' })
  if (body['stream'] === true) throw new InvalidRequest('body.stream: an answer that goes into a file is not streamed.', { path: 'body.stream' })
  const asked = model === undefined ? body : { ...body, model }
  try {
    return { id, request: openaiChat.decodeRequest(asked) }
  } catch (thrown) {
    if (!BursarError.is(thrown)) throw thrown
    throw new InvalidRequest(`body.${thrown.message}`, { path: `body.${thrown.path ?? ''}`, cause: thrown })
  }
}

/** Names of questions that a file of answers has answered already; those that failed are asked again. Lines that were cut by a crash are passed over. */
export async function answeredIn(file: string): Promise<ReadonlySet<string>> {
  const answered = new Set<string>()
  if (!existsSync(file)) return answered
  for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    const read = answerLine.safeParse(jsonOf(text))
    if (read.success && read.data.error == null) answered.add(read.data.custom_id)
  }
  return answered
}

const answerLine = z.looseObject({ custom_id: z.string(), error: z.unknown() })

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
