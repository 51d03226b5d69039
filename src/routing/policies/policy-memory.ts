import { z } from 'zod'
import { BursarError } from '../../errors/index.js'
import type { PolicyMemory } from '../contracts.js'
import type { LinearPosterior } from './linear-posterior.js'

const posteriorsForm = z.object({
  version: z.literal(1),
  policy: z.string(),
  posteriors: z.array(z.tuple([z.string(), z.int().nonnegative(), z.base64(), z.base64()])),
})

/** The posteriors of a bandit, by tenant and arm, as they are kept. */
export function posteriorMemory(
  policy: string,
  posteriors: Map<string, LinearPosterior>,
  fresh: () => LinearPosterior,
  most: number,
): PolicyMemory {
  return {
    serialize: () =>
      encoded({
        version: 1,
        policy,
        posteriors: [...posteriors].map(([place, posterior]) => {
          const { observations, covariance, mean } = posterior.save()
          return [place, observations, numbersAsText(covariance), numbersAsText(mean)]
        }),
      }),
    load(bytes) {
      const saved = decoded(bytes, posteriorsForm, policy)
      const read = saved.posteriors.slice(-most).map(([place, observations, covariance, mean]) => {
        const posterior = fresh()
        try {
          posterior.restore({ observations, covariance: textAsNumbers(covariance), mean: textAsNumbers(mean) })
        } catch (cause) {
          throw refused(policy, cause)
        }
        return [place, posterior] as const
      })
      posteriors.clear()
      for (const [place, posterior] of read) posteriors.set(place, posterior)
    },
  }
}

/** A state as UTF-8 JSON. */
export function encoded(state: { readonly version: number; readonly policy: string; readonly [part: string]: unknown }): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(state))
}

/** Reads what `encoded` gave for the same policy. Throws `BursarError` (`invalid_configuration`) for anything else. */
export function decoded<State extends { readonly policy: string }>(bytes: Uint8Array, form: z.ZodType<State>, policy: string): State {
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw refused(policy, cause)
  }
  const read = form.safeParse(json)
  if (!read.success || read.data.policy !== policy) throw refused(policy)
  return read.data
}

function refused(policy: string, cause?: unknown): BursarError {
  return new BursarError(`This is no saved state of the policy "${policy}" of this version and these settings.`, {
    code: 'invalid_configuration',
    status: 500,
    cause,
  })
}

function numbersAsText(numbers: Float64Array): string {
  return Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength).toString('base64')
}

function textAsNumbers(text: string): Float64Array {
  const bytes = Buffer.from(text, 'base64')
  // Into memory of its own, which is aligned.
  return new Float64Array(new Uint8Array(bytes).buffer, 0, Math.floor(bytes.length / 8))
}
