import type { BursarError } from '../errors/index.js'
import type { TapOptions } from './codec.js'
import type { Splice } from './json-scan.js'
import { arrayOf, numberOf, objectOf, textOf } from './json-value.js'
import { upstreamError, usageOf } from './openai-chat/decode-reply.js'
import type { ReportedUsage } from './reply.js'
import { costEdits, fieldsWithin } from './tap-cost.js'
import type { TapEvent, TapReader } from './tap-reader.js'

/** What a usage chunk gets in place of its empty `choices` when the caller never asked for usage and may look at `choices[0]`. */
const emptyChoice = '[{"index":0,"delta":{},"finish_reason":null}]'

/** Usage, a finish, an error, and a choice (or call) beyond the first. */
const pattern = /"usage"\s*:\s*\{|"finish_reason"\s*:\s*"|"error"\s*:\s*(?!null)|"index"\s*:\s*[1-9]/g

/** Chat completions: usage in a chunk of its own, in the last chunk with content, or in every chunk (the last counts). */
export class ChatTapReader implements TapReader {
  readonly pattern = pattern
  reported: ReportedUsage | undefined
  failure: BursarError | undefined
  #done = false
  /** Choices that have begun and not finished. There is always a first; further ones are seen by their index. */
  readonly #open = new Set([0])
  readonly #closed = new Set<number>()

  constructor(private readonly options: TapOptions) {}

  get complete(): boolean {
    return this.#done || (this.#closed.size > 0 && this.#open.size === 0)
  }

  get ended(): boolean {
    return this.#done
  }

  done(): void {
    this.#done = true
  }

  read(event: TapEvent): readonly Splice[] {
    const { json } = event
    const error = json['error']
    if (error != null && error !== false) {
      this.failure = upstreamError(json)
      return []
    }
    for (const value of arrayOf(json['choices'])) {
      const choice = objectOf(value)
      const index = numberOf(choice?.['index']) ?? 0
      const finish = textOf(choice?.['finish_reason'])
      if (finish === 'error') {
        this.failure = upstreamError(json)
        return []
      }
      if (finish !== undefined) {
        this.#closed.add(index)
        this.#open.delete(index)
      } else if (!this.#closed.has(index)) this.#open.add(index)
    }
    const reported = usageOf(json)
    if (!reported) return []
    this.reported = reported
    const separate = Array.isArray(json['choices']) && json['choices'].length === 0
    if (this.options.usage === 'never') return separate ? [{ start: event.start, end: event.end, text: '' }] : []
    try {
      return this.#edits(event, reported, separate, json['usage'])
    } catch {
      // A field twice: the chunk is forwarded as it is, and its usage counts all the same.
      return []
    }
  }

  #edits({ region, payload }: TapEvent, reported: ReportedUsage, separate: boolean, json: unknown): Splice[] {
    const fields = fieldsWithin(region, payload)
    const usage = fields.get('usage')
    const edits = usage && region[usage.start] === 0x7b ? costEdits(region, usage, this.options.price(reported), json) : []
    const choices = fields.get('choices')
    if (separate && choices && this.options.usage === 'always') edits.push({ ...choices, text: emptyChoice })
    return edits.sort((a, b) => a.start - b.start)
  }
}
