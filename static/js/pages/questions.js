/** The questions before a visit: who is in line hears the call here, too. */

import {keepInLine} from "../lib/in_line.js";

// What is typed stays where it is: sending it says what has happened.
keepInLine(() => {});
