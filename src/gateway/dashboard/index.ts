export { addDashboardRoutes } from './routes.js'
