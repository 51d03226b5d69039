import { z } from 'zod'
import type { Strategy } from '../../strategy.js'
import { holds, requestCondition, sayRequest } from '../conditions.js'
import { strategyKind } from '../kind.js'

/** `if`: one of two strategies, by what the request is like. Which one is decided before anything is spent, so the chosen one streams. */
export const ifKind = strategyKind({
  kind: 'if',
  about: 'Chooses between two strategies by what the request is like.',
  fields: (nested) => z.strictObject({ when: requestCondition, then: nested, else: nested }),
  build: ({ when, then: yes, else: no }, scope) => {
    const [left, right] = [scope.strategy(yes), scope.strategy(no)]
    const strategy: Strategy = {
      id: `if(${left.id}, ${right.id})`,
      // Nobody knows how often the condition holds before it has been seen: half of the time.
      plan: [...left.plan, ...right.plan].map((use) => ({ ...use, expected: use.expected / 2 })),
      run: (request, env, options) => (holds(when, request, env, scope.context) ? left : right).run(request, env, options),
    }
    return strategy
  },
  describe: ({ when, then: yes, else: no }, say) => `when ${sayRequest(when)}, ${say(yes)}; else ${say(no)}`,
})
