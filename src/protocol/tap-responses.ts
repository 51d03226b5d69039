import { BursarError } from '../errors/index.js'
import type { TapOptions } from './codec.js'
import type { Splice } from './json-scan.js'
import { objectOf, textOf } from './json-value.js'
import type { ReportedUsage } from './reply.js'
import { costEdits, fieldsWithin, reportedIn } from './tap-cost.js'
import type { TapEvent, TapReader } from './tap-reader.js'
import { withSearches } from './usage.js'

const endings: ReadonlySet<unknown> = new Set(['response.completed', 'response.incomplete', 'response.failed'])

const pattern = /"usage"\s*:\s*\{|"type"\s*:\s*"(?:response\.(?:completed|incomplete|failed)|error)"/g

/** OpenAI's Responses: the last event holds the whole response with its usage. */
export class ResponsesTapReader implements TapReader {
  readonly pattern = pattern
  complete = false
  reported: ReportedUsage | undefined
  failure: BursarError | undefined

  constructor(private readonly options: TapOptions) {}

  get ended(): boolean {
    return this.complete
  }

  done(): void {
    // Some compatible servers send it; the format's own mark is the last event's type.
  }

  read({ region, payload, json }: TapEvent): readonly Splice[] {
    if (json['type'] === 'error') {
      const detail = objectOf(json['error']) ?? json
      const code = textOf(detail['code'])
      this.failure = new BursarError(
        `The provider reported an error${code === undefined ? '' : ` (${code})`}: ${textOf(detail['message']) ?? 'no details'}`,
        {
          code: 'upstream_error',
          status: 502,
        },
      )
      return []
    }
    if (endings.has(json['type'])) this.complete = true
    const response = objectOf(json['response'])
    const told = response && reportedIn('openai-responses', response['usage'], response['service_tier'])
    const reported = told && withSearches(told, response['output'])
    if (!reported) return []
    this.reported = reported
    try {
      const outer = fieldsWithin(region, payload).get('response')
      const usage = outer && fieldsWithin(region, outer).get('usage')
      return usage && region[usage.start] === 0x7b ? costEdits(region, usage, this.options.price(reported), response?.['usage']) : []
    } catch {
      // A field twice: forwarded as it is.
      return []
    }
  }
}
