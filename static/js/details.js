// A room's details: local times.

import { fillMoment } from "./times.js";

for (const time of document.querySelectorAll("time")) fillMoment(time);
