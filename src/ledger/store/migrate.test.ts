import { describe, expect, it } from 'vitest'
import { connect } from './connect.js'
import { migrate } from './migrate.js'
import { migrations } from './migrations/index.js'
describe('x', () => {
  it.each([{ file: ':memory:' }, { url: 'postgres://root@127.0.0.1:5432/root' }])('%s', async (s) => {
    const c = await connect(s)
    await migrate(c, migrations)
    await migrate(c, migrations)
    expect(await c.db.selectFrom('migrations').selectAll().execute()).toHaveLength(2)
    await c.close()
  })
})
