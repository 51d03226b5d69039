import { expect, it } from 'vitest'
import { unlimited } from './budget.js'

it('the unlimited budget has no limit, and is ample', () => {
  expect(unlimited.remaining()).toEqual({})
  expect(unlimited.regime()).toBe('ample')
})
