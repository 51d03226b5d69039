import { z } from 'zod'
import { fallback } from '../../fallback.js'
import { nonEmpty, strategies } from '../fields.js'
import { strategyKind } from '../kind.js'

/** `fallback`: the next strategy runs when one fails before anything went out. */
export const fallbackKind = strategyKind({
  kind: 'fallback',
  about: 'Tries strategies in order; the next one runs when one fails.',
  fields: (nested) => z.strictObject({ strategies: strategies(nested, 2) }),
  build: ({ strategies: specs }, scope) => fallback(nonEmpty(specs.map((spec) => scope.strategy(spec)))),
  describe: ({ strategies: specs }, say) => specs.map((spec) => say(spec)).join('; if that fails, '),
})
