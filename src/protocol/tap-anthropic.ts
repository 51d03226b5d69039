import { BursarError } from '../errors/index.js'
import type { TapOptions } from './codec.js'
import type { Splice } from './json-scan.js'
import { objectOf, textOf, type JsonObject } from './json-value.js'
import type { ReportedUsage } from './reply.js'
import { costEdits, fieldsWithin } from './tap-cost.js'
import type { TapEvent, TapReader } from './tap-reader.js'
import { anthropicUsage } from './usage.js'

const pattern = /"usage"\s*:\s*\{|"type"\s*:\s*"(?:message_stop|error)"/g

/** Anthropic messages: the input side of usage comes with `message_start`, the output side with `message_delta`, where the cost goes. */
export class AnthropicTapReader implements TapReader {
  readonly pattern = pattern
  complete = false
  reported: ReportedUsage | undefined
  failure: BursarError | undefined
  #usage: JsonObject = {}

  constructor(private readonly options: TapOptions) {}

  get ended(): boolean {
    return this.complete
  }

  done(): void {
    // Not a mark of this format.
  }

  read({ region, payload, json }: TapEvent): readonly Splice[] {
    switch (json['type']) {
      case 'message_start':
        this.#merge(objectOf(objectOf(json['message'])?.['usage']))
        return []
      case 'message_stop':
        this.complete = true
        return []
      case 'error': {
        const error = objectOf(json['error'])
        const type = textOf(error?.['type'])
        this.failure = new BursarError(
          `The provider reported an error${type === undefined ? '' : ` (${type})`}: ${textOf(error?.['message']) ?? 'no details'}`,
          {
            code: 'upstream_error',
            status: 502,
          },
        )
        return []
      }
      case 'message_delta': {
        this.#merge(objectOf(json['usage']))
        const { reported } = this
        if (!reported) return []
        try {
          const usage = fieldsWithin(region, payload).get('usage')
          return usage && region[usage.start] === 0x7b ? costEdits(region, usage, this.options.price(reported), json['usage']) : []
        } catch {
          // A field twice: forwarded as it is.
          return []
        }
      }
      default:
        return []
    }
  }

  /** Later values override; a null or absent one says nothing. */
  #merge(usage: JsonObject | undefined): void {
    if (!usage) return
    const merged: Record<string, unknown> = { ...this.#usage }
    for (const [name, value] of Object.entries(usage)) if (value !== null && value !== undefined) merged[name] = value
    this.#usage = merged
    this.reported = anthropicUsage(merged) ?? this.reported
  }
}
