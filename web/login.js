"use strict";
/* After a wrong password the name stands there already. */
if (document.getElementById("name").value)
	document.getElementById("password").focus();
