"""What runs by itself: jobs, schedules, sensors, and the conditions under which a stage follows another."""
