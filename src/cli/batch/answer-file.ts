import { closeSync, fsyncSync, openSync, readSync, fstatSync, writeSync } from 'node:fs'
import type { BursarError } from '../../errors/index.js'
import { openaiChat, stringifyExact, type Reply } from '../../protocol/index.js'
import type { Cost, Usage } from '../../quantities/index.js'
import type { BatchQuestion } from './batch-file.js'

/** What became of a question, about to be written. */
export type QuestionResult =
  | { readonly reply: Reply; readonly usage: Usage; readonly cost: Cost; /** Questions that shared the call. */ readonly together: number; readonly arm?: string | undefined }
  | { readonly fault: BursarError }

/**
 * Answers in the form of OpenAI's batch output: a line a question, in the order in which they are answered, appended as they come. What was flushed survives a crash; a last
 * line that a crash cut short is ended first, so that nothing is ever appended to it.
 */
export class AnswerFile {
  private readonly descriptor: number

  /** Throws what opening a file does. */
  constructor(file: string) {
    this.descriptor = openSync(file, 'a+')
    const { size } = fstatSync(this.descriptor)
    const last = Buffer.alloc(1)
    if (size > 0 && readSync(this.descriptor, last, 0, 1, size - 1) === 1 && last[0] !== 0x0a) writeSync(this.descriptor, '\n')
  }

  write({ id, request }: BatchQuestion, result: QuestionResult): void {
    const head = { id: `batch_req_${id}`, custom_id: id }
    const line = 'fault' in result ? { ...head, response: { status_code: result.fault.status, request_id: null, body: openaiChat.encodeError(result.fault, '') }, error: { code: result.fault.code, message: result.fault.message } } : { ...head, response: { status_code: 200, request_id: null, body: bodyOf(id, request, result) }, error: null }
    writeSync(this.descriptor, `${stringifyExact(line)}\n`)
  }

  flush(): void {
    fsyncSync(this.descriptor)
  }

  close(): void {
    fsyncSync(this.descriptor)
    closeSync(this.descriptor)
  }
}

function bodyOf(id: string, request: BatchQuestion['request'], { reply, usage, cost, together, arm }: Exclude<QuestionResult, { readonly fault: BursarError }>): Record<string, unknown> {
  const body = openaiChat.encodeReply(reply, { request, usage, cost: { usd: cost.usd, details: {} }, id })
  return { ...body, bursar: { together, ...(arm === undefined ? {} : { arm }) } }
}
