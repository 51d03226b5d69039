import { closeSync, fsyncSync, openSync, readSync, fstatSync, writeSync } from 'node:fs'
import { InvalidRequest, type BursarError } from '../../errors/index.js'
import { openaiChat, stringifyExact, type Reply } from '../../protocol/index.js'
import type { Cost, Usage } from '../../quantities/index.js'
import type { BatchQuestion } from './batch-file.js'

/** What became of a question, about to be written. */
export type QuestionResult =
  | {
      readonly reply: Reply
      readonly usage: Usage
      readonly cost: Cost
      /** Questions that shared the call. */ readonly together: number
      readonly arm?: string | undefined
    }
  | { readonly fault: BursarError }

/**
 * Answers in the form of OpenAI's batch output: a line a question, in the order in which they are answered, appended as they come. What
 * was flushed survives a crash; a last line that a crash cut short is ended first, so that nothing is ever appended to it.
 */
export class AnswerFile {
  private readonly descriptor: number

  /** Throws `InvalidRequest` for a file that can't be opened. */
  constructor(file: string) {
    try {
      this.descriptor = openSync(file, 'a+')
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : 'unknown reason'
      throw new InvalidRequest(
        `--out: ${file} could not be opened (${why}). Name a file in a folder that exists and is yours to write in.`,
        { path: 'out', cause },
      )
    }
    const { size } = fstatSync(this.descriptor)
    const last = Buffer.alloc(1)
    if (size > 0 && readSync(this.descriptor, last, 0, 1, size - 1) === 1 && last[0] !== 0x0a) writeSync(this.descriptor, '\n')
  }

  write({ id, request }: BatchQuestion, result: QuestionResult): void {
    const head = { id: `batch_req_${id}`, custom_id: id }
    const line = (status: number, body: unknown, error: { readonly code: string; readonly message: string } | null) =>
      `${stringifyExact({ ...head, response: { status_code: status, request_id: null, body }, error })}\n`
    if (!('fault' in result)) return write(this.descriptor, line(200, bodyOf(id, request, result), null))
    const { status, code, message } = result.fault
    write(this.descriptor, line(status, openaiChat.encodeError(result.fault, ''), { code, message }))
  }

  flush(): void {
    fsyncSync(this.descriptor)
  }

  close(): void {
    fsyncSync(this.descriptor)
    closeSync(this.descriptor)
  }
}

/** All of a text: the system may take less at once, as on a disk that is nearly full. Throws what writing does. */
function write(descriptor: number, text: string): void {
  const bytes = Buffer.from(text)
  for (let done = 0; done < bytes.length;) done += writeSync(descriptor, bytes, done)
}

type Answer = Exclude<QuestionResult, { readonly fault: BursarError }>

function bodyOf(id: string, request: BatchQuestion['request'], { reply, usage, cost, together, arm }: Answer): Record<string, unknown> {
  const body = openaiChat.encodeReply(reply, { request, usage, cost: { usd: cost.usd, details: {} }, id })
  return { ...body, bursar: { together, ...(arm === undefined ? {} : { arm }) } }
}
