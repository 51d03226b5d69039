import type { Request } from '../../protocol/index.js'
import { createUnderstanding, type Features, type Understanding } from '../../understanding/index.js'
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
  let made: Understanding | undefined
  const understanding = () => (made ??= createUnderstanding())
  /** Without an encoder everything is known at once. */
  const known = (request: Request): Features | undefined => {
    const features = understanding().of(request)
    return features instanceof Promise ? undefined : features
  }
  const { difficultyOf, featuresOf, categoryOf, effort = createEffortController(), thinkGate = createThinkGate() } = context
  return {
    ...context,
    effort,
    thinkGate,
    featuresOf: featuresOf ?? ((request) => understanding().of(request)),
    difficultyOf: difficultyOf ?? ((request) => known(request)?.difficulty),
    categoryOf: categoryOf ?? ((request) => known(request)?.category?.name),
  }
}
