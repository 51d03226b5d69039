import { BursarError } from '../../errors/index.js'
import type { Scrubber } from './scrub.js'

/** An error as it is logged. */
export interface ErrorDescription {
  readonly name: string
  readonly code?: string
  readonly status?: number
  readonly path?: string
  readonly message?: string
  /** Where it was thrown: the stack's frames, without the message that V8 puts before them. */
  readonly frames?: readonly string[]
  readonly cause?: ErrorDescription
}

/**
 * Describes a thrown value without its content: messages of upstream failures and of parsers are withheld, since they
 * quote what was sent; in others every quoted span is masked. The name, the code, the path and the stack frames say where to look.
 */
export function describeError(thrown: unknown, scrub: Scrubber, depth = 0): ErrorDescription {
  if (!(thrown instanceof Error)) return { name: `thrown ${thrown === null ? 'null' : typeof thrown}` }
  const code = 'code' in thrown && (typeof thrown.code === 'string' || typeof thrown.code === 'number') ? String(thrown.code) : undefined
  const ours = BursarError.is(thrown)
  const message = withheld(thrown) ? undefined : scrub.text(mask(thrown.message)).slice(0, 300)
  const frames = ours && thrown.status < 500 ? undefined : framesOf(thrown)
  return {
    name: thrown.name,
    ...(code !== undefined && { code }),
    ...(ours && { status: thrown.status }),
    ...(ours && thrown.path !== undefined && { path: scrub.text(thrown.path).slice(0, 300) }),
    ...(message !== undefined && message !== '' && { message }),
    ...(frames && frames.length > 0 && { frames: frames.map((frame) => scrub.text(frame)) }),
    ...(thrown.cause !== undefined && depth < 3 && { cause: describeError(thrown.cause, scrub, depth + 1) }),
  }
}

/** A provider's message may echo the prompt; a parser's quotes what it could not read. */
function withheld(error: Error): boolean {
  return error.name === 'UpstreamFailure' || error instanceof SyntaxError || error.name === 'SyntaxError' || error.name === 'ZodError'
}

/** Masks what stands in quotes: that is where messages put values. */
export function mask(message: string): string {
  return message.replace(/"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'(?!\w)|`[^`]*`?|“[^”]*”?/gs, '"…"')
}

function framesOf(error: Error): readonly string[] {
  const lines = (error.stack ?? '').split('\n')
  return lines
    .filter((line) => /^\s+at /.test(line) && /(?::\d+:\d+\)?|<anonymous>\)?|native\)?)$/.test(line))
    .slice(0, 8)
    .map((line) => line.trim())
}
