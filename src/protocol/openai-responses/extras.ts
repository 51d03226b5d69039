import type { DropPolicy } from '../codec.js'
import type { ExtraField } from '../conversation.js'
import { ExtraCollector, ExtraFields } from '../extra-fields.js'

/** Collects what a Responses body says beyond the canonical form. */
export class Extras extends ExtraCollector {
  constructor() {
    super('openai-responses')
  }

  /** Notes one entry of the body's `include`. */
  include(index: number, value: string): void {
    this.list.push({ format: 'openai-responses', name: 'include', path: `include[${index}]`, value })
  }
}

/** Puts such fields back where they stood; `includes` are entries of `include` that the canonical form doesn't know. */
export class ResponsesExtras extends ExtraFields {
  readonly includes: readonly string[]

  constructor(extra: readonly ExtraField[], drop: DropPolicy) {
    const includes: string[] = []
    super(extra, drop, {
      format: 'openai-responses',
      foreign: 'the Responses format has no such field',
      makesMissing: true,
      own({ path, value }) {
        if (!path.startsWith('include[')) return false
        if (typeof value === 'string') includes.push(value)
        return true
      },
    })
    this.includes = includes
  }
}
