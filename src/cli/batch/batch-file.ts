import { isUtf8 } from 'node:buffer'
import { z } from 'zod'
import { lineBatches, UnreadableFile, type FileLine } from '../../environment/index.js'
import { BursarError, InvalidRequest } from '../../errors/index.js'
import { openaiChat, type Request } from '../../protocol/index.js'

/** A question of a batch file. */
export interface BatchQuestion {
  /** The caller's own name of it. */
  readonly id: string
  readonly request: Request
}

/** Bytes of a line that is looked at. */
const LONGEST_LINE = 16 * 1024 * 1024

const line = z.looseObject({
  custom_id: z.string().min(1).max(512),
  method: z.literal('POST').optional(),
  url: z.string().optional(),
  body: z.record(z.string(), z.unknown()),
})

/**
 * Questions of an OpenAI batch file, also gzipped: JSON Lines of `{custom_id, method, url, body}` with bodies of
 * `/v1/chat/completions`. Some lines and all ids are in memory. What is wrong with a line is told to `onFault` with its number and
 * field, and the rest goes on; a file that can't be read ends it with `InvalidRequest`. `model`: asked in place of the one that a line
 * names.
 */
export async function* readBatch(
  file: string,
  model: string | undefined,
  onFault: (fault: BursarError) => void,
): AsyncGenerator<BatchQuestion> {
  const seen = new Set<string>()
  for await (const { bytes, number } of linesOf(file, 'questions')) {
    if (bytes.length === 0) continue
    try {
      const question = questionOf(bytes, model)
      if (question === null) continue
      if (seen.has(question.id)) throw new InvalidRequest(`"${question.id}" stands in an earlier line already.`, { path: 'custom_id' })
      seen.add(question.id)
      yield question
    } catch (thrown) {
      if (!BursarError.is(thrown)) throw thrown
      onFault(new InvalidRequest(`${file}, line ${number}: ${thrown.message}`, { path: thrown.path ?? 'line', cause: thrown }))
    }
  }
}

/** Lines are split at line feeds alone: texts in JSON may hold U+2028, at which readline would split too. */
async function* linesOf(file: string, path: string): AsyncGenerator<FileLine> {
  try {
    for await (const lines of lineBatches(file)) yield* lines
  } catch (cause) {
    if (!(cause instanceof UnreadableFile)) throw cause
    throw new InvalidRequest(cause.reason === 'missing' ? `There is no file ${file}.` : `${file} can't be read: ${cause.message}.`, {
      path,
      cause,
    })
  }
}

/** `null` for an empty line. */
function questionOf(bytes: Buffer, model: string | undefined): BatchQuestion | null {
  if (bytes.length > LONGEST_LINE) throw new InvalidRequest(`the line is longer than ${LONGEST_LINE} bytes.`, { path: 'line' })
  if (!isUtf8(bytes)) throw new InvalidRequest('the line is not UTF-8.', { path: 'line' })
  const text = bytes.toString('utf8').replace(/^\ufeff/, '')
  if (text.trim() === '') return null
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (thrown) {
    throw new InvalidRequest(`no JSON (${thrown instanceof Error ? thrown.message : 'unreadable'}).`, { path: 'line' })
  }
  const read = line.safeParse(json)
  if (!read.success) {
    const issue = read.error.issues[0]
    throw new InvalidRequest(`${issue?.path.join('.') || 'line'}: ${issue?.message ?? 'has the wrong shape'}.`, {
      path: issue?.path.join('.') || 'line',
    })
  }
  const { custom_id: id, url, body } = read.data
  if (url !== undefined && url !== '/v1/chat/completions')
    throw new InvalidRequest(`url: only /v1/chat/completions can be answered here, not ${url}.`, { path: 'url' })
  if (body['stream'] === true)
    throw new InvalidRequest('body.stream: an answer that goes into a file is not streamed.', { path: 'body.stream' })
  const asked = model === undefined ? body : { ...body, model }
  try {
    return { id, request: openaiChat.decodeRequest(asked) }
  } catch (thrown) {
    if (!BursarError.is(thrown)) throw thrown
    throw new InvalidRequest(`body.${thrown.message}`, { path: `body.${thrown.path ?? ''}`, cause: thrown })
  }
}

/** What a file of answers holds from before. */
export interface AnsweredBefore {
  /** Names of questions that were answered; those that failed are asked again. */
  readonly ids: ReadonlySet<string>
  /** Dollars that the answers did cost; those of unknown cost count nothing. */
  readonly usd: number
}

/**
 * Reads it; nothing was answered where there is no file yet. Lines that were cut by a crash are passed over. Throws `InvalidRequest`
 * for what can't be read.
 */
export async function answeredIn(file: string): Promise<AnsweredBefore> {
  const ids = new Set<string>()
  let usd = 0
  try {
    for await (const { bytes } of linesOf(file, 'out')) {
      const read = answerLine.safeParse(jsonOf(bytes.toString('utf8')))
      if (!read.success || read.data.error != null) continue
      ids.add(read.data.custom_id)
      usd += read.data.response?.body?.usage?.cost ?? 0
    }
  } catch (thrown) {
    if (!(thrown instanceof InvalidRequest && thrown.cause instanceof UnreadableFile && thrown.cause.reason === 'missing')) throw thrown
  }
  return { ids, usd }
}

const usage = z.looseObject({ cost: z.number().nonnegative().nullish().catch(null) })
const answerBody = z.looseObject({ usage: usage.nullish().catch(null) })
const answerLine = z.looseObject({
  custom_id: z.string(),
  error: z.unknown(),
  response: z
    .looseObject({ body: answerBody.nullish().catch(null) })
    .nullish()
    .catch(null),
})

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
