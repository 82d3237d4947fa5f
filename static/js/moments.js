// A page with moments on it: local times.

import { fillMoment } from "./times.js";

for (const time of document.querySelectorAll('time[datetime*="T"]')) fillMoment(time);
