import { strategiesIn } from './suite.js'
import { live } from './worlds.js'

strategiesIn(live)
