import type { BursarError } from '../errors/index.js'
import type { Splice } from './json-scan.js'
import type { JsonObject } from './json-value.js'
import type { ReportedUsage } from './reply.js'

/** An event that a reader asked to see. Offsets are those of `region`. */
export interface TapEvent {
  readonly region: Buffer
  /** From the event's first line to just after its blank line. */
  readonly start: number
  readonly end: number
  /** The JSON text of the event. */
  readonly payload: { readonly start: number; readonly end: number }
  readonly json: JsonObject
}

/** What is particular to a format. */
export interface TapReader {
  /**
   * Finds what makes an event worth parsing (global). One compiled expression over a whole batch costs less than a native search for
   * each word, since most words stand in every chunk with `null`. A name inside a JSON string is escaped and doesn't match.
   */
  readonly pattern: RegExp
  readonly complete: boolean
  /** Whether nothing that matters can follow: usage may come after the end of an answer, but not after this. */
  readonly ended: boolean
  readonly reported: ReportedUsage | undefined
  readonly failure: BursarError | undefined
  /** Looks at an event that the pattern matched in; returns changes to it in ascending order. */
  read(event: TapEvent): readonly Splice[]
  /** `data: [DONE]` was seen. */
  done(): void
}
