import { createUnderstanding } from '../../understanding/index.js'
import { createEffortController } from '../effort/index.js'
import { createThinkGate } from '../thinking/index.js'
import type { BuildContext, FullContext } from './kind.js'

const full = new WeakMap<BuildContext, FullContext>()

/** A context with what it leaves out made for it, once: all its strategies learn together. */
export function fullContext(context: BuildContext): FullContext {
  let made = full.get(context)
  if (made === undefined) full.set(context, (made = complete(context)))
  return made
}

function complete(context: BuildContext): FullContext {
  const understanding = createUnderstanding()
  const { difficultyOf, featuresOf, effort = createEffortController(), thinkGate = createThinkGate() } = context
  return {
    ...context,
    effort,
    thinkGate,
    featuresOf: featuresOf ?? ((request) => understanding.of(request)),
    difficultyOf:
      difficultyOf ??
      ((request) => {
        // Without an encoder everything is known at once.
        const features = understanding.of(request)
        return features instanceof Promise ? undefined : features.difficulty
      }),
  }
}
