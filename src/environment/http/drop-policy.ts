import { UnsupportedParameter } from '../../errors/index.js'
import type { DropPolicy } from '../../protocol/index.js'

/** Lets go of what a provider can't express where that is allowed, and notes it in `dropped`; throws `UnsupportedParameter` with the field's path elsewhere. */
export function dropPolicy(allowed: boolean | readonly string[], dropped: string[]): DropPolicy {
  return {
    adjusted: (path, how) => void dropped.push(`${path} (${how})`),
    unsupported(path, why) {
      const root = /^[^.[]*/.exec(path)?.[0] ?? path
      if (allowed === true || (Array.isArray(allowed) && (allowed.includes(path) || allowed.includes(root)))) dropped.push(path)
      else
        throw new UnsupportedParameter(
          `${path}: ${why}. Remove it, choose a model whose provider supports it, or allow dropping it with drop_unsupported in the configuration.`,
          path,
        )
    },
  }
}
