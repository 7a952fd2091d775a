import { startSample } from '../start-sample';
import { AppModule } from './app.module';

startSample(AppModule);
